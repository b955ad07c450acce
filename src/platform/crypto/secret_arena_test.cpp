#include "platform/crypto/secret_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "platform/crypto/secret_memory.h"

namespace mailhold::crypto {
namespace {

constexpr std::size_t pages = 64;

class SecretArenaTest : public ::testing::Test {
 protected:
  SecretMapping mapping_ = map_secret_pages(pages * SecretArena::page_size);
  SecretArena arena_{mapping_.pages, pages* SecretArena::page_size};
};

bool is_zero(const void* block, std::size_t size) {
  const auto* bytes = static_cast<const char*>(block);
  return std::all_of(bytes, bytes + size, [](char byte) { return byte == 0; });
}

TEST_F(SecretArenaTest, gives_zeroed_blocks_apart_from_each_other_and_wipes_what_comes_back) {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (const std::size_t size : {1U, 33U, 48U, 49U, 2048U, 2049U, 5000U, 8192U}) {
    for (int i = 0; i < 3; ++i) {
      char* const block = static_cast<char*>(arena_.take(size, 0));
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U);
      EXPECT_TRUE(arena_.owns(block));
      ASSERT_GE(arena_.size_of(block), size);
      EXPECT_TRUE(is_zero(block, arena_.size_of(block)));
      std::memset(block, static_cast<int>(blocks.size()) + 1, arena_.size_of(block));
      blocks.emplace_back(block, arena_.size_of(block));
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, size] = blocks[i];
    EXPECT_TRUE(std::all_of(block, block + size, [&](char byte) { return byte == static_cast<char>(i + 1); })) << "they overlap";
  }
  for (const auto& [block, size] : blocks) arena_.give_back(block);
  // Of each block nothing is left but the way to the next free one.
  for (const auto& [block, size] : blocks) EXPECT_TRUE(is_zero(block + sizeof(void*), size - sizeof(void*)));
  for (const auto& [block, size] : blocks) EXPECT_TRUE(is_zero(arena_.take(size, 0), size));
  EXPECT_FALSE(arena_.owns(&blocks));
}

TEST_F(SecretArenaTest, is_full_at_some_time_and_has_room_again) {
  EXPECT_EQ(arena_.take((pages + 1) * SecretArena::page_size, 0), nullptr);
  EXPECT_EQ(arena_.take(SIZE_MAX, 0), nullptr);
  std::vector<void*> blocks;
  while (void* const block = arena_.take(5000, 10)) blocks.push_back(block);
  EXPECT_EQ(blocks.size(), (pages - 10) / 2);
  EXPECT_EQ(arena_.take(40, 10), nullptr) << "the rest is kept for others";
  EXPECT_NE(arena_.take(40, 0), nullptr);
  void* const last = arena_.take(9 * SecretArena::page_size, 0);
  EXPECT_NE(last, nullptr);
  EXPECT_EQ(arena_.pages_free(), 0U);
  EXPECT_EQ(arena_.take(5000, 0), nullptr);
  arena_.give_back(blocks[3]);
  arena_.give_back(blocks[4]);
  EXPECT_EQ(arena_.take(4 * SecretArena::page_size, 0), blocks[3]);
}

TEST_F(SecretArenaTest, serves_many_threads) {
  std::vector<std::jthread> threads;
  for (int number = 1; number <= 4; ++number) {
    threads.emplace_back([this, number] {
      for (std::size_t i = 0; i < 2000; ++i) {
        const std::size_t size = 1 + i * 37 % 6000;
        char* const block = static_cast<char*>(arena_.take(size, 0));
        ASSERT_NE(block, nullptr);
        ASSERT_TRUE(is_zero(block, size));
        std::memset(block, number, size);
        ASSERT_TRUE(std::all_of(block, block + size, [number](char byte) { return byte == number; }));
        arena_.give_back(block);
      }
    });
  }
}

}  // namespace
}  // namespace mailhold::crypto
