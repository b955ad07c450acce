#include "platform/crypto/hash.h"

#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {
namespace {

std::string digest(const EVP_MD* algorithm, std::size_t size, std::string_view bytes) {
  thread_local const DigestContext context(EVP_MD_CTX_new());
  std::string out(size, '\0');
  require(context != nullptr && EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
          EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
          EVP_DigestFinal_ex(context.get(), octets(out.data()), nullptr) == 1);
  return out;
}

}  // namespace

std::string sha256(std::string_view bytes) { return digest(sha256_algorithm(), sha256_size, bytes); }
std::string sha512(std::string_view bytes) { return digest(sha512_algorithm(), sha512_size, bytes); }

struct Sha256::State {
  DigestContext context{EVP_MD_CTX_new()};
  void start() { require(context != nullptr && EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->start(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { require(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1); }

std::string Sha256::finish() {
  std::string out(sha256_size, '\0');
  require(EVP_DigestFinal_ex(state_->context.get(), octets(out.data()), nullptr) == 1);
  state_->start();
  return out;
}

}  // namespace mailhold::crypto
