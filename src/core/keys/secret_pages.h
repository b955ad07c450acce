// SecretPages: a few pages for the keys everything hangs from. Where the kernel allows they are memfd_secret(2) pages,
// which neither ptrace nor /proc/PID/mem nor another process of root can read, and which no system call can take as a
// buffer. Elsewhere they are locked and kept out of core files, and the log says so loudly.
// Make it at the start of the process, before the sandbox forbids the system calls. One thread at a time.
#pragma once

#include <cstddef>
#include <string_view>

namespace mailhold::keys {

class SecretPages {
 public:
  SecretPages();  // room for `slots` keys of 32 bytes
  ~SecretPages();
  SecretPages(const SecretPages&) = delete;
  SecretPages& operator=(const SecretPages&) = delete;

  static constexpr std::size_t slots = 16;
  static constexpr std::size_t slot_size = 32;

  bool is_secret() const { return is_secret_; }
  void put(std::size_t slot, std::string_view key);  // exactly slot_size bytes
  std::string_view at(std::size_t slot) const;
  void clear();  // zeroes all

 private:
  char* pages_ = nullptr;
  bool is_secret_ = false;
};

}  // namespace mailhold::keys
