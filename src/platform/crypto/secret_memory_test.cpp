#include "platform/crypto/secret_memory.h"

#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "base/secret_text.h"

namespace mailhold::crypto {
namespace {

constexpr std::size_t much = 4 << 20;
constexpr std::size_t stack_pages = 32;

// Secret memory is of a whole process and for good: each test has one of its own.
template <class Test>
void in_a_process_of_its_own(std::size_t bytes, Test test) {
  EXPECT_EXIT(
      {
        (void)keep_secrets_in_secret_memory(bytes, bytes);
        test();
        std::_Exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

std::size_t pages_taken() { return secret_memory_use().pages - secret_memory_use().pages_free; }

// As the kernel reads it for others; false for pages of memfd_secret(2).
bool can_be_read(const void* place) {
  char byte = 0;
  const iovec here{&byte, 1}, there{const_cast<void*>(place), 1};
  return ::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) == 1;
}

TEST(SecretStack, is_no_stack_of_the_thread_and_the_thread_is_the_same) {
  in_a_process_of_its_own(much, [] {
    const std::size_t before = pages_taken();
    const auto thread = std::this_thread::get_id();
    char outside = 1;
    bool was_run = false;
    ASSERT_TRUE(on_secret_stack([&] {
      char inside = 1;
      was_run = true;
      EXPECT_EQ(std::this_thread::get_id(), thread);
      EXPECT_TRUE(can_be_read(&outside));
      EXPECT_EQ(can_be_read(&inside), !secret_memory_use().is_secret);
      const auto distance = reinterpret_cast<std::intptr_t>(&inside) - reinterpret_cast<std::intptr_t>(&outside);
      EXPECT_GT(std::abs(distance), 1 << 20);
    }));
    EXPECT_TRUE(was_run);
    EXPECT_EQ(pages_taken() - before, stack_pages);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(on_secret_stack([] {}));
    EXPECT_EQ(pages_taken() - before, stack_pages) << "one is enough for one thread";
  });
}

TEST(SecretStack, is_used_again_by_work_within_work) {
  in_a_process_of_its_own(much, [] {
    bool was_run = false;
    ASSERT_TRUE(on_secret_stack([&] {
      EXPECT_TRUE(on_secret_stack([&] {
        char inner = 1;
        was_run = true;
        EXPECT_EQ(can_be_read(&inner), !secret_memory_use().is_secret);
      }));
    }));
    EXPECT_TRUE(was_run);
    EXPECT_EQ(pages_taken(), stack_pages);
  });
}

TEST(SecretStack, serves_more_threads_than_there_are_stacks) {
  in_a_process_of_its_own(much, [] {
    std::atomic<int> at_work{0}, most{0}, ran{0};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 16; ++i) {
        threads.emplace_back([&] {
          for (int time = 0; time < 200; ++time) {
            ASSERT_TRUE(on_secret_stack([&] {
              const int now = ++at_work;
              for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
              }
              char block[16 << 10];
              std::memset(block, time, sizeof block);
              std::this_thread::yield();
              for (const char byte : block) ASSERT_EQ(byte, static_cast<char>(time));
              --at_work;
              ++ran;
            }));
          }
        });
      }
    }
    EXPECT_EQ(ran, 16 * 200);
    EXPECT_LE(most, 4);
    EXPECT_LE(pages_taken(), 4 * stack_pages);
  });
}

TEST(SecretStack, is_refused_when_there_is_no_room_for_the_first) {
  constexpr std::size_t few_pages = 40;
  in_a_process_of_its_own(few_pages * 4096, [] {
    std::vector<SecretText> texts;
    while (secret_memory_use().pages_free >= stack_pages) texts.push_back(SecretText::zeroed(4095));
    bool was_run = false;
    EXPECT_FALSE(on_secret_stack([&] { was_run = true; }));
    EXPECT_FALSE(was_run);
  });
}

}  // namespace
}  // namespace mailhold::crypto
