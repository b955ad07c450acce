#include "core/keys/secret_pages.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/secret_text.h"

namespace mailhold::keys {
namespace {

constexpr std::size_t bytes = 4096;

void* map_secret_pages() {
  const int descriptor = static_cast<int>(::syscall(SYS_memfd_secret, 0));
  if (descriptor < 0) return MAP_FAILED;
  void* pages = MAP_FAILED;
  if (::ftruncate(descriptor, bytes) == 0) pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  return pages;
}

}  // namespace

SecretPages::SecretPages() {
  static_assert(slots * slot_size <= bytes);
  void* pages = map_secret_pages();
  is_secret_ = pages != MAP_FAILED;
  if (!is_secret_) {
    pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) std::abort();
    const bool locked = ::mlock(pages, bytes) == 0;
    (void)::madvise(pages, bytes, MADV_DONTDUMP);
    log_warning("keys", locked ? "no memfd_secret here (secretmem.enable=1?): root keys lie in locked pages that root can read"
                               : "no memfd_secret and no mlock here: root keys lie in ordinary pages that may be swapped out");
  }
  pages_ = static_cast<char*>(pages);
}

SecretPages::~SecretPages() {
  clear();
  ::munmap(pages_, bytes);
}

void SecretPages::put(std::size_t slot, std::string_view key) {
  if (slot >= slots || key.size() != slot_size) std::abort();
  std::memcpy(pages_ + slot * slot_size, key.data(), slot_size);
}

std::string_view SecretPages::at(std::size_t slot) const {
  if (slot >= slots) std::abort();
  return {pages_ + slot * slot_size, slot_size};
}

void SecretPages::clear() { wipe(pages_, slots * slot_size); }

}  // namespace mailhold::keys
