#include "platform/crypto/secret_memory.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

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

// Threads whose stacks lie in the arena. They are made when they are first needed and stay, waiting, until the process ends.
class SecretThreads {
 public:
  bool run(const std::function<void()>& work) {
    Job job{work};
    std::unique_lock lock(mutex_);
    if (idle_ <= waiting_.size() && threads_ < threads_max_ && !start() && threads_ == 0) return false;
    waiting_.push_back(&job);
    work_.notify_one();
    done_.wait(lock, [&job] { return job.is_done; });
    return true;
  }

 private:
  struct Job {
    const std::function<void()>& work;
    bool is_done = false;
  };
  static constexpr std::size_t stack_bytes = 128 << 10;

  static void* begin(void* threads) {
    static_cast<SecretThreads*>(threads)->loop();
    return nullptr;
  }

  bool start() {
    void* const stack = arena->take(stack_bytes, 0);
    if (stack == nullptr) return false;
    pthread_attr_t attributes;
    pthread_t thread;
    ::pthread_attr_init(&attributes);
    const bool is_started = ::pthread_attr_setstack(&attributes, stack, stack_bytes) == 0 &&
                            ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                            ::pthread_create(&thread, &attributes, begin, this) == 0;
    ::pthread_attr_destroy(&attributes);
    if (!is_started) {
      arena->give_back(stack);
      return false;
    }
    ::mprotect(stack, SecretArena::page_size, PROT_NONE);  // an overflow ends the process instead of changing keys
    ++threads_;
    ++idle_;
    return true;
  }

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return !waiting_.empty(); });
      Job* const job = waiting_.front();
      waiting_.pop_front();
      --idle_;
      lock.unlock();
      job->work();
      lock.lock();
      ++idle_;
      job->is_done = true;
      done_.notify_all();
    }
  }

  const unsigned threads_max_ = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::deque<Job*> waiting_;
  unsigned threads_ = 0;
  std::size_t idle_ = 0;
};

SecretThreads* threads = nullptr;  // with the arena

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
  threads = new SecretThreads;
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
  if (threads != nullptr) return threads->run(work);
  work();
  return true;
}

bool SecretScope::was_refused() const { return refusals != refusals_before_; }

}  // namespace mailhold::crypto
