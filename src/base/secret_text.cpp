#include "base/secret_text.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/random.h"

namespace mailhold {
namespace {

SecretTextMemory secret_memory;

char* take_block(std::size_t bytes) {
  void* block = secret_memory.take != nullptr ? secret_memory.take(bytes) : nullptr;
  if (block == nullptr) block = std::calloc(bytes, 1);
  if (block == nullptr) std::abort();
  return static_cast<char*>(block);
}

void give_block_back(char* block) {
  if (secret_memory.give_back == nullptr || !secret_memory.give_back(block)) std::free(block);
}

}  // namespace

void keep_secret_texts_in(SecretTextMemory memory) { secret_memory = memory; }

void wipe(void* bytes, std::size_t count) {
  if (count > 0) ::explicit_bzero(bytes, count);
}

void wipe(std::string& text) {
  wipe(text.data(), text.size());
  text.clear();
}

// Locking and keeping out of core files are done once for the whole process
// (platform/sandbox: mlockall, RLIMIT_CORE 0, dumpable 0), not for each small block.
SecretText::SecretText(std::size_t count) : bytes_(take_block(count + 1)), size_(count) {}

SecretText SecretText::copy_of(std::string_view bytes) {
  SecretText secret(bytes.size());
  if (!bytes.empty()) std::memcpy(secret.bytes_, bytes.data(), bytes.size());
  return secret;
}

SecretText SecretText::take(std::string&& bytes) {
  SecretText secret = copy_of(bytes);
  wipe(bytes);
  return secret;
}

SecretText SecretText::random(std::size_t count) {
  SecretText secret(count);
  fill_random(secret.bytes_, count);
  return secret;
}

SecretText SecretText::zeroed(std::size_t count) { return SecretText(count); }

SecretText SecretText::joined(std::initializer_list<std::string_view> parts) {
  std::size_t count = 0;
  for (const std::string_view part : parts) count += part.size();
  SecretText secret(count);
  char* at = secret.bytes_;
  for (const std::string_view part : parts) at += part.copy(at, part.size());
  return secret;
}

SecretText::SecretText(SecretText&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretText& SecretText::operator=(SecretText&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

SecretText::~SecretText() {
  if (bytes_ == nullptr) return;
  wipe(bytes_, size_);
  give_block_back(bytes_);
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace mailhold
