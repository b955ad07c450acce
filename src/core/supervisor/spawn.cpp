#include "core/supervisor/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mailhold::supervisor {
namespace {

constexpr int control_descriptor = 3;
constexpr rlim_t open_files_max = 65536;

// After setsid(): where the kernel shares the processors between sessions first (autogroup, sched(7)), a session has a nice
// value of its own.
void give_way(int nice) {
  if (nice <= 0) return;
  ::setpriority(PRIO_PROCESS, 0, nice);
  const char digits[] = {static_cast<char>('0' + nice / 10), static_cast<char>('0' + nice % 10)};
  const std::size_t skipped = nice < 10 ? 1 : 0;  // "08" would be read as octal
  const int group = ::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  if (group < 0) return;  // a kernel without them
  (void)!::write(group, digits + skipped, sizeof digits - skipped);
  ::close(group);
}

// Between fork and exec only plain system calls are made: the supervisor has threads.
[[noreturn]] void become(const Spawn& spawn, char* const* arguments, pid_t supervisor) {
  const int namespaces = CLONE_NEWIPC | CLONE_NEWUTS | (spawn.network == Network::none ? CLONE_NEWNET : 0);
  if (::unshare(namespaces) != 0) ::_exit(71);
  const rlimit locked{RLIM_INFINITY, RLIM_INFINITY};  // what is locked is bounded by what is used
  ::setrlimit(RLIMIT_MEMLOCK, &locked);
  const rlimit files{open_files_max, open_files_max};
  ::setrlimit(RLIMIT_NOFILE, &files);
  const rlimit core{0, 0};
  ::setrlimit(RLIMIT_CORE, &core);
  ::setsid();
  give_way(spawn.nice);
  ::umask(0077);
  if (::chdir("/") != 0) ::_exit(71);
  if (::dup2(spawn.control, control_descriptor) < 0) ::_exit(71);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, 0);
  ::dup2(nothing, 1);
  if (::syscall(SYS_close_range, control_descriptor + 1, ~0U, 0) != 0) ::_exit(71);
  // Raw calls: the C library's would signal threads that this copy does not have.
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, spawn.user, spawn.user, spawn.user) != 0 ||
      ::syscall(SYS_setresuid, spawn.user, spawn.user, spawn.user) != 0) {
    ::_exit(71);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(71);  // it died in between
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Every symbol is looked up when the program starts, so that no copy of a zygote has to.
  char bind_now[] = "LD_BIND_NOW=1";
  char* const environment[] = {bind_now, nullptr};
  ::execve(spawn.binary.c_str(), arguments, environment);
  ::_exit(72);
}

}  // namespace

Result<pid_t> spawn(const Spawn& spawn) {
  std::vector<char*> arguments{const_cast<char*>(spawn.binary.c_str())};
  for (const auto& argument : spawn.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t supervisor = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return Error{ErrorKind::unavailable, std::string("fork: ") + std::strerror(errno)};
  if (child == 0) become(spawn, arguments.data(), supervisor);
  return child;
}

}  // namespace mailhold::supervisor
