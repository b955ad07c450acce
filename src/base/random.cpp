#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace mailhold {

void fill_random(void* buffer, std::size_t count) {
  char* at = static_cast<char*>(buffer);
  while (count > 0) {
    const ssize_t got = ::getrandom(at, count, 0);
    if (got < 0 && errno != EINTR) std::abort();
    if (got <= 0) continue;
    at += got;
    count -= static_cast<std::size_t>(got);
  }
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  fill_random(bytes.data(), count);
  return bytes;
}

}  // namespace mailhold
