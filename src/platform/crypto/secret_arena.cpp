#include "platform/crypto/secret_arena.h"

#include <cstdlib>
#include <cstring>

#include "base/secret_text.h"

namespace mailhold::crypto {

SecretArena::SecretArena(void* pages, std::size_t bytes)
    : start_(static_cast<char*>(pages)), kinds_(bytes / page_size, free_page), free_pages_(kinds_.size()) {}

bool SecretArena::owns(const void* block) const noexcept {
  const auto* at = static_cast<const char*>(block);
  return at >= start_ && at < start_ + kinds_.size() * page_size;
}

std::size_t SecretArena::page_of(const void* block) const noexcept {
  return static_cast<std::size_t>(static_cast<const char*>(block) - start_) / page_size;
}

std::size_t SecretArena::pages_free() const noexcept {
  const std::lock_guard lock(mutex_);
  return free_pages_;
}

void* SecretArena::take(std::size_t bytes, std::size_t pages_left) noexcept {
  const std::lock_guard lock(mutex_);
  if (bytes > sizes.back()) return take_large(bytes, pages_left);
  std::size_t kind = 0;
  while (sizes[kind] < bytes) ++kind;
  if (first_free_[kind] == nullptr && !refill(kind, pages_left)) return nullptr;
  void* const block = first_free_[kind];
  std::memcpy(&first_free_[kind], block, sizeof(void*));
  std::memset(block, 0, sizeof(void*));
  return block;
}

bool SecretArena::refill(std::size_t kind, std::size_t pages_left) noexcept {
  if (free_pages_ <= pages_left) return false;
  std::size_t page = 0;
  while (kinds_[page] != free_page) ++page;
  kinds_[page] = static_cast<std::uint8_t>(kind);
  --free_pages_;
  const std::size_t size = sizes[kind];
  for (std::size_t at = page_size / size * size; at > 0; at -= size) {
    void* const block = start_ + page * page_size + at - size;
    std::memcpy(block, &first_free_[kind], sizeof(void*));
    first_free_[kind] = block;
  }
  return true;
}

void* SecretArena::take_large(std::size_t bytes, std::size_t pages_left) noexcept {
  if (bytes > kinds_.size() * page_size) return nullptr;
  const std::size_t wanted = (bytes + page_size - 1) / page_size;
  if (free_pages_ < pages_left + wanted) return nullptr;
  std::size_t run = 0;
  for (std::size_t page = 0; page < kinds_.size(); ++page) {
    run = kinds_[page] == free_page ? run + 1 : 0;
    if (run < wanted) continue;
    const std::size_t head = page + 1 - wanted;
    for (std::size_t each = head; each <= page; ++each) kinds_[each] = large_rest;
    kinds_[head] = large_head;
    free_pages_ -= wanted;
    return start_ + head * page_size;
  }
  return nullptr;
}

std::size_t SecretArena::run_at(std::size_t page) const noexcept {
  std::size_t count = 1;
  while (page + count < kinds_.size() && kinds_[page + count] == large_rest) ++count;
  return count;
}

std::size_t SecretArena::size_of(const void* block) const noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t page = page_of(block);
  const std::uint8_t kind = kinds_[page];
  if (kind == large_head) return run_at(page) * page_size;
  if (kind >= sizes.size()) std::abort();
  return sizes[kind];
}

void SecretArena::give_back(void* block) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t page = page_of(block);
  const std::uint8_t kind = kinds_[page];
  if (kind == large_head) {
    const std::size_t count = run_at(page);
    wipe(block, count * page_size);
    for (std::size_t each = page; each < page + count; ++each) kinds_[each] = free_page;
    free_pages_ += count;
    return;
  }
  if (kind >= sizes.size()) std::abort();  // it was given back before
  wipe(block, sizes[kind]);
  std::memcpy(block, &first_free_[kind], sizeof(void*));
  first_free_[kind] = block;
}

}  // namespace mailhold::crypto
