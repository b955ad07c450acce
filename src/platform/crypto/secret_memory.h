// Secret memory: pages for all that a process of keys holds. Where the kernel allows they are memfd_secret(2) pages, which
// neither ptrace nor /proc/PID/mem nor another process of root can read; else they are locked and kept out of core files. A
// program that wants it calls keep_secrets_in_secret_memory() before anything else; every other program does without, and all
// below does nothing.
#pragma once

#include <cstddef>
#include <functional>

namespace mailhold::crypto {

// Pages of either kind, all zero; null only when there is no memory. They are never in a core file.
struct SecretMapping {
  void* pages = nullptr;
  bool is_secret = false;  // memfd_secret
  bool is_locked = false;
};
SecretMapping map_secret_pages(std::size_t bytes);
// Of at least and at most so many bytes; the size is changed to what it is.
SecretMapping map_secret_pages(std::size_t bytes_least, std::size_t& bytes);

// The first thing in a program: before another thread, any use of OpenSSL and the sandbox. From then on SecretTexts lie in such
// pages, and so does what OpenSSL takes within a SecretScope: in `bytes_most`, or what the memlock limit leaves of it, but not
// below `bytes_least`; then they are no memfd_secret pages. A quarter is kept for OpenSSL; SecretTexts that find no room lie in
// ordinary memory. False: OpenSSL was in use already.
bool keep_secrets_in_secret_memory(std::size_t bytes_least, std::size_t bytes_most);

struct SecretMemoryUse {
  bool is_kept = false;    // keep_secrets_in_secret_memory() was called
  bool is_secret = false;  // in memfd_secret pages
  std::size_t pages = 0;   // of 4096 bytes
  std::size_t pages_free = 0;
  std::size_t texts_outside = 0;  // SecretTexts that found no room, since the start
};
SecretMemoryUse secret_memory_use();

// While it lives, what OpenSSL takes in this thread lies in secret memory: numbers of private keys and what it computes from
// them. Where there is no room, OpenSSL's operation fails.
class SecretScope {
 public:
  SecretScope();
  ~SecretScope();
  bool was_refused() const;  // since it began
  SecretScope(const SecretScope&) = delete;
  SecretScope& operator=(const SecretScope&) = delete;

 private:
  const unsigned refusals_before_;
};

// Runs `work` in this thread on a stack in secret memory, if the program has such memory. For what computes with numbers of
// private keys: OpenSSL copies exponents to the stack. Any thread; up to four at once, others wait. `work` throws nothing and has
// 120 KiB. False: no room for such a stack; `work` was not run.
bool on_secret_stack(const std::function<void()>& work);

}  // namespace mailhold::crypto
