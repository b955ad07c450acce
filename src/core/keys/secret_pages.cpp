#include "core/keys/secret_pages.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/secret_text.h"
#include "platform/crypto/secret_memory.h"

namespace mailhold::keys {
namespace {

constexpr std::size_t bytes = 4096;

}  // namespace

SecretPages::SecretPages() {
  static_assert(slots * slot_size <= bytes);
  const crypto::SecretMapping mapping = crypto::map_secret_pages(bytes);
  if (mapping.pages == nullptr) std::abort();
  is_secret_ = mapping.is_secret;
  if (!is_secret_)
    log_warning("keys", mapping.is_locked
                            ? "no memfd_secret here (secretmem.enable=1?): keys lie in locked pages that root can read"
                            : "no memfd_secret and no mlock here: keys lie in ordinary pages that may be swapped out");
  pages_ = static_cast<char*>(mapping.pages);
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
