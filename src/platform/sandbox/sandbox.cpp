#include "platform/sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "platform/sandbox/layers.h"

namespace mailhold::sandbox {
namespace {

void limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit both{value, value};
  // The system call of that name: the C library would take prlimit64, which no profile may use to set a limit.
  (void)::syscall(SYS_setrlimit, resource, &both);
}

// Whatever becomes of this process, also by exec, which makes it dumpable again: a core has none of its memory (core(5)). The
// limit of 0 says nothing to a handler of cores behind a pipe.
void keep_memory_out_of_cores() {
  const int filter = ::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (filter < 0) return;  // a kernel without cores, or a process that may not be dumped
  (void)!::write(filter, "0", 1);
  ::close(filter);
}

void forbid_cores() {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  limit(RLIMIT_CORE, 0);
}

// What the C library would look up in a file when it is too late, in the jail: how many heaps the processors of this machine
// allow (with the ninth thread that allocates), and how a heap gives memory back (when one of a thread first shrinks).
void settle_heaps() {
  ::mallopt(M_ARENA_MAX, 8 * static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  std::thread([] {
    std::vector<std::string> blocks;
    for (int i = 0; i < 4; ++i) blocks.emplace_back().reserve(64U << 10U);
  }).join();
}

// What nobody may do, and what only those with the right may do.
bool opens_a_foreign_file() { return ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0; }
bool runs_a_program() {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  ::execve(name, arguments, environment);  // comes back only when refused
  return false;
}
bool makes_an_internet_socket() { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; }
bool makes_runnable_memory() {
  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
bool traces_itself() { return ::syscall(SYS_ptrace, 0, 0, 0, 0) == 0; }

constexpr int got_through = 77;
constexpr int refused = 0;

}  // namespace

bool has(const Profile& profile, Right right) {
  return std::find(profile.rights.begin(), profile.rights.end(), right) != profile.rights.end();
}

Status restrict_process(const Profile& profile) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Error{ErrorKind::unsupported, "no_new_privs is refused"};
  forbid_cores();
  limit(RLIMIT_NOFILE, profile.open_files_max);
  if (profile.address_space_bytes_max > 0) limit(RLIMIT_AS, profile.address_space_bytes_max);
  return done();
}

Result<PreparedProfile> PreparedProfile::make(Profile profile) {
  settle_heaps();
  ASSIGN_OR_RETURN(CallFilter calls, make_call_filter(profile));
  return PreparedProfile(std::move(profile), std::make_shared<const CallFilter>(std::move(calls)), false);
}

Result<PreparedProfile> PreparedProfile::make_for_copies(Profile profile, const Profile& zygote) {
  if (profile.readable != zygote.readable || profile.writable != zygote.writable || profile.runnable != zygote.runnable ||
      profile.violation != zygote.violation || profile.open_files_max != zygote.open_files_max ||
      profile.address_space_bytes_max != zygote.address_space_bytes_max)
    return Error{ErrorKind::bug, "sandbox: " + profile.name + " is not what copies of " + zygote.name + " can become"};
  ASSIGN_OR_RETURN(CallFilter calls, make_call_filter_of_copies(profile, zygote));
  return PreparedProfile(std::move(profile), std::make_shared<const CallFilter>(std::move(calls)), true);
}

PreparedProfile PreparedProfile::with_writable(std::vector<std::string> paths) const {
  PreparedProfile other = *this;
  other.profile_.writable = std::move(paths);
  return other;
}

Status PreparedProfile::tighten() const {
  if (is_for_copies_) {
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // a change of the user may have taken it back
    return restrict_calls(*calls_);
  }
  RETURN_IF_ERROR(restrict_process(profile_));
  RETURN_IF_ERROR(restrict_files(profile_));
  return restrict_calls(*calls_);
}

// A child puts the same layers on and makes the attempt. execve that got through ends with true's 0,
// so the child marks "entered" in a pipe and a close-on-exec pipe end tells a successful exec.
Status PreparedProfile::must_be_refused(const char* what, bool (*attempt)()) const {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error{ErrorKind::unavailable, std::strerror(errno)};
  const pid_t child = ::fork();
  if (child < 0) return Error{ErrorKind::unavailable, std::string("sandbox: fork: ") + std::strerror(errno)};
  if (child == 0) {
    if (!tighten()) ::_exit(3);
    (void)!::write(ends[1], "e", 1);
    const bool through = attempt();
    (void)!::write(ends[1], through ? "t" : "r", 1);
    ::_exit(through ? got_through : refused);
  }
  ::close(ends[1]);
  char marks[2] = {0, 0};
  ssize_t count = 0;
  for (ssize_t got = 1; got > 0 && count < 2; count += std::max<ssize_t>(got, 0))
    got = ::read(ends[0], marks + count, static_cast<std::size_t>(2 - count));
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (count == 0) return Error{ErrorKind::unsupported, "sandbox: " + profile_.name + ": a layer could not be put on"};
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
  if (killed || (count == 2 && marks[1] == 'r')) return done();
  return Error{ErrorKind::bug, "sandbox: " + profile_.name + " does not hold: " + what};
}

Status PreparedProfile::self_test() const {
  RETURN_IF_ERROR(must_be_refused("it opens a foreign file", opens_a_foreign_file));
  RETURN_IF_ERROR(must_be_refused("it runs a program", runs_a_program));
  RETURN_IF_ERROR(must_be_refused("it makes runnable memory", makes_runnable_memory));
  RETURN_IF_ERROR(must_be_refused("it may be traced or trace", traces_itself));
  if (!has(profile_, Right::connect)) RETURN_IF_ERROR(must_be_refused("it makes an internet socket", makes_an_internet_socket));
  return done();
}

void refuse_dumps() {
  keep_memory_out_of_cores();
  forbid_cores();
}

Status enter(const Profile& profile) {
  if (profile.lock_memory && ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
    log_warning("sandbox", "MEMORY MAY BE SWAPPED OUT: mlockall is refused; raise the memlock limit or turn swap off");
  }
  refuse_dumps();
  ASSIGN_OR_RETURN(const PreparedProfile prepared, PreparedProfile::make(profile));
  RETURN_IF_ERROR(prepared.self_test());
  return prepared.tighten();
}

Status keep_capabilities(std::initializer_list<unsigned> kept) {
  std::uint64_t wanted = 0;
  for (const unsigned capability : kept) wanted |= 1ULL << capability;
  for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if ((wanted & 1ULL << capability) == 0) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return Error{ErrorKind::unsupported, "the capabilities cannot be read"};
  if (sets[0].permitted == 0 && sets[1].permitted == 0) return done();  // a unit's user has none, and may not even ask
  for (unsigned half = 0; half < 2; ++half) {
    const std::uint32_t held =
        sets[half].permitted & static_cast<std::uint32_t>(wanted >> 32U * half);  // a container may hold less
    sets[half] = {held, held, 0};
  }
  if (::syscall(SYS_capset, &header, sets) != 0) return Error{ErrorKind::unsupported, "the capabilities cannot be dropped"};
  return done();
}

void enter_or_exit(const Profile& profile) {
  if (const Status entered = enter(profile); !entered) {
    log_error("sandbox", "refusing to serve: " + entered.error().detail);
    std::_Exit(78);
  }
}

}  // namespace mailhold::sandbox
