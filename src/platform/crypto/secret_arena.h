// SecretArena: hands out blocks of a fixed range of pages. A block is zero when it is given and wiped when it comes back.
// What the arena knows of its pages lies elsewhere. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace mailhold::crypto {

class SecretArena {
 public:
  static constexpr std::size_t page_size = 4096;

  SecretArena(void* pages, std::size_t bytes);

  // Null if fewer than `pages_left` pages would stay free, or there is no run of them for a large block. Blocks are aligned
  // to 16.
  void* take(std::size_t bytes, std::size_t pages_left) noexcept;
  void give_back(void* block) noexcept;  // one of ours
  bool owns(const void* block) const noexcept;
  std::size_t size_of(const void* block) const noexcept;  // what was given, which is no less than what was asked for
  std::size_t pages() const noexcept { return kinds_.size(); }
  std::size_t pages_free() const noexcept;

 private:
  // Sizes that share pages; larger blocks have pages of their own.
  static constexpr std::array<std::uint16_t, 12> sizes = {32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048};
  enum Kind : std::uint8_t { free_page = 255, large_head = 254, large_rest = 253 };  // else an index of `sizes`

  bool refill(std::size_t kind, std::size_t pages_left) noexcept;
  void* take_large(std::size_t bytes, std::size_t pages_left) noexcept;
  std::size_t page_of(const void* block) const noexcept;
  std::size_t run_at(std::size_t page) const noexcept;

  char* const start_;
  mutable std::mutex mutex_;
  std::vector<std::uint8_t> kinds_;               // of each page
  std::array<void*, sizes.size()> first_free_{};  // a list through the blocks themselves
  std::size_t free_pages_;
};

}  // namespace mailhold::crypto
