#include "platform/crypto/secret_memory.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "base/secret_text.h"
#include "platform/crypto/secret_arena.h"

namespace mailhold::crypto {
namespace {

// Set once, before there is a second thread, and never taken down: OpenSSL gives blocks back after main() has ended.
SecretArena* arena = nullptr;
bool arena_is_secret = false;
std::atomic<std::size_t> texts_outside{0};
thread_local unsigned scopes = 0;
thread_local unsigned refusals = 0;

void* take_for_text(std::size_t bytes) noexcept {
  void* const block = arena->take(bytes, arena->pages() / 4);
  if (block == nullptr) ++texts_outside;
  return block;
}
bool give_back_of_text(void* block) noexcept {
  if (!arena->owns(block)) return false;
  arena->give_back(block);
  return true;
}

// What OpenSSL asks for within a scope is refused rather than put where it can be read; the operation then fails.
void* take_for_openssl(std::size_t bytes) noexcept {
  void* const block = arena->take(bytes, 0);
  if (block == nullptr) ++refusals;
  return block;
}

void* openssl_malloc(std::size_t bytes, const char*, int) {
  if (bytes == 0) return nullptr;
  return scopes > 0 ? take_for_openssl(bytes) : std::malloc(bytes);
}

void openssl_free(void* block, const char*, int) {
  if (block == nullptr) return;
  if (arena->owns(block))
    arena->give_back(block);
  else
    std::free(block);
}

void* openssl_realloc(void* block, std::size_t bytes, const char* file, int line) {
  if (block == nullptr) return openssl_malloc(bytes, file, line);
  if (bytes == 0) {
    openssl_free(block, file, line);
    return nullptr;
  }
  // A block stays of the kind it is of.
  if (!arena->owns(block)) return std::realloc(block, bytes);
  const std::size_t size = arena->size_of(block);
  if (bytes <= size) return block;
  void* const larger = take_for_openssl(bytes);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, block, size);
  arena->give_back(block);
  return larger;
}

thread_local const std::function<void()>* errand = nullptr;  // what this thread has gone to a secret stack for

// The thread goes back to a stack that can be read, so it takes nothing with it: what the work left in registers that a caller
// must not count on is cleared.
[[gnu::noinline, gnu::zero_call_used_regs("all")]] void do_errand() noexcept { (*errand)(); }

// Stacks that lie in the arena. A thread that has work for one goes over to it and comes back, which wakes nobody. They are made
// when they are first needed and stay.
class SecretStacks {
 public:
  bool run(const std::function<void()>& work) {
    if (errand != nullptr) {  // it is on one
      work();
      return true;
    }
    void* const stack = take();
    if (stack == nullptr) return false;
    go_there(stack, work);
    give_back(stack);
    return true;
  }

 private:
  static constexpr std::size_t stack_bytes = 128 << 10;

  static void go_there(void* stack, const std::function<void()>& work) {
    ucontext_t here, there;
    ::getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = stack_bytes;
    there.uc_link = &here;
    ::makecontext(&there, do_errand, 0);
    errand = &work;
    if (::swapcontext(&here, &there) != 0) std::abort();
    errand = nullptr;
  }

  void* take() {
    std::unique_lock lock(mutex_);
    if (idle_.empty() && made_ < made_max_ && !make() && made_ == 0) return nullptr;
    given_back_.wait(lock, [this] { return !idle_.empty(); });
    void* const stack = idle_.back();
    idle_.pop_back();
    return stack;
  }

  void give_back(void* stack) {
    {
      const std::lock_guard lock(mutex_);
      idle_.push_back(stack);
    }
    given_back_.notify_one();
  }

  bool make() {
    void* const stack = arena->take(stack_bytes, 0);
    if (stack == nullptr) return false;
    ::mprotect(stack, SecretArena::page_size, PROT_NONE);  // an overflow ends the process instead of changing keys
    idle_.push_back(stack);
    ++made_;
    return true;
  }

  const unsigned made_max_ = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<void*> idle_;  // guarded by mutex_, as is the next
  unsigned made_ = 0;
};

SecretStacks* stacks = nullptr;  // with the arena

}  // namespace

SecretMapping map_secret_pages(std::size_t bytes) { return map_secret_pages(bytes, bytes); }

SecretMapping map_secret_pages(std::size_t bytes_least, std::size_t& bytes) {
  const int descriptor = static_cast<int>(::syscall(SYS_memfd_secret, 0));
  const bool is_there = descriptor >= 0 && ::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0;
  void* pages = MAP_FAILED;
  // Such pages count against the memlock limit; somewhat less than the half, so that a limit of 8 MiB leaves room for others.
  for (std::size_t size = bytes; is_there && pages == MAP_FAILED && size >= bytes_least;) {
    pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (pages != MAP_FAILED)
      bytes = size;
    else
      size = size * 7 / 16 / SecretArena::page_size * SecretArena::page_size;
  }
  if (descriptor >= 0) ::close(descriptor);
  if (pages != MAP_FAILED) return {pages, true, true};
  pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return {};
  const bool is_locked = ::mlock2(pages, bytes, MLOCK_ONFAULT) == 0;
  (void)::madvise(pages, bytes, MADV_DONTDUMP);
  return {pages, false, is_locked};
}

bool keep_secrets_in_secret_memory(std::size_t bytes_least, std::size_t bytes_most) {
  if (arena != nullptr) return true;
  const SecretMapping mapping = map_secret_pages(bytes_least, bytes_most);
  if (mapping.pages == nullptr) std::abort();
  arena = new SecretArena(mapping.pages, bytes_most);
  arena_is_secret = mapping.is_secret;
  stacks = new SecretStacks;
  keep_secret_texts_in({take_for_text, give_back_of_text});
  return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

SecretMemoryUse secret_memory_use() {
  if (arena == nullptr) return {};
  return {true, arena_is_secret, arena->pages(), arena->pages_free(), texts_outside.load()};
}

SecretScope::SecretScope() : refusals_before_(refusals) { ++scopes; }
SecretScope::~SecretScope() { --scopes; }

bool on_secret_stack(const std::function<void()>& work) {
  if (stacks != nullptr) return stacks->run(work);
  work();
  return true;
}

bool SecretScope::was_refused() const { return refusals != refusals_before_; }

}  // namespace mailhold::crypto
