// The Landlock layer: which files a profile may reach.
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform/sandbox/layers.h"

namespace mailhold::sandbox {
namespace {

constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t running = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t file_only = running | LANDLOCK_ACCESS_FS_WRITE_FILE;

// Rights of the first kernel version with Landlock, and those that later ones added.
std::uint64_t known_rights(long version) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  if (version >= 2) rights |= 1ULL << 13;  // REFER: to rename between folders
  if (version >= 3) rights |= 1ULL << 14;  // TRUNCATE
  if (version >= 5) rights |= 1ULL << 15;  // IOCTL_DEV
  return rights;
}

std::uint64_t writing(long version) {
  return (known_rights(version) &
          ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
            LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK | 1ULL << 15));
}

Status add_rule(int ruleset, const std::string& path, std::uint64_t rights, std::uint64_t truncate) {
  const int target = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (target < 0) return Error{ErrorKind::not_found, "landlock: " + path + ": " + std::strerror(errno)};
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = target;
  long outcome = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  if (outcome != 0 && errno == EINVAL) {  // a single file takes the rights of files only
    rule.allowed_access = rights & (file_only | truncate);
    outcome = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  ::close(target);
  if (outcome != 0) return Error{ErrorKind::unsupported, "landlock: " + path + ": " + std::strerror(errno)};
  return done();
}

}  // namespace

Status restrict_files(const Profile& profile) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return Error{ErrorKind::unsupported, "landlock: the kernel has none; it must be built in and listed in lsm="};
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = known_rights(version);
  const int ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0));
  if (ruleset < 0) return Error{ErrorKind::unsupported, std::string("landlock: ") + std::strerror(errno)};
  const std::uint64_t truncate = version >= 3 ? 1ULL << 14 : 0;
  Status outcome = done();
  for (const std::string& path : profile.readable) {
    if (outcome) outcome = add_rule(ruleset, path, reading, 0);
  }
  for (const std::string& path : profile.writable) {
    if (outcome) outcome = add_rule(ruleset, path, writing(version), truncate);
  }
  for (const std::string& path : profile.runnable) {
    if (outcome) outcome = add_rule(ruleset, path, running, 0);
  }
  if (outcome && ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
    outcome = Error{ErrorKind::unsupported, std::string("landlock: ") + std::strerror(errno)};
  }
  ::close(ruleset);
  return outcome;
}

}  // namespace mailhold::sandbox
