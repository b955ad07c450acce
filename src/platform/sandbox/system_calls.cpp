// The seccomp layer: which system calls a profile may use.
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>

#include "platform/sandbox/layers.h"

namespace mailhold::sandbox {
namespace {

constexpr std::initializer_list<const char*> everybody = {"read",
                                                          "write",
                                                          "readv",
                                                          "writev",
                                                          "pread64",
                                                          "pwrite64",
                                                          "preadv",
                                                          "pwritev",
                                                          "preadv2",
                                                          "pwritev2",
                                                          "close",
                                                          "fstat",
                                                          "lseek",
                                                          "munmap",
                                                          "mremap",
                                                          "madvise",
                                                          "brk",
                                                          "futex",
                                                          "clock_gettime",
                                                          "clock_nanosleep",
                                                          "nanosleep",
                                                          "gettimeofday",
                                                          "time",
                                                          "clock_getres",
                                                          "getpid",
                                                          "gettid",
                                                          "getppid",
                                                          "getuid",
                                                          "geteuid",
                                                          "getgid",
                                                          "getegid",
                                                          "getrandom",
                                                          "rt_sigaction",
                                                          "rt_sigprocmask",
                                                          "rt_sigreturn",
                                                          "rt_sigtimedwait",
                                                          "sigaltstack",
                                                          "exit",
                                                          "exit_group",
                                                          "poll",
                                                          "ppoll",
                                                          "epoll_create1",
                                                          "epoll_ctl",
                                                          "epoll_wait",
                                                          "epoll_pwait",
                                                          "epoll_pwait2",
                                                          "eventfd2",
                                                          "timerfd_create",
                                                          "timerfd_settime",
                                                          "setitimer",
                                                          "recvmsg",
                                                          "sendmsg",
                                                          "recvfrom",
                                                          "sendto",
                                                          "shutdown",
                                                          "socketpair",
                                                          "getsockopt",
                                                          "set_robust_list",
                                                          "rseq",
                                                          "sched_yield",
                                                          "sched_getaffinity",
                                                          "dup",
                                                          "dup3",
                                                          "restart_syscall",
                                                          "membarrier",
                                                          "tgkill",
                                                          "getrusage",
                                                          "times",
                                                          "sysinfo",
                                                          "uname",
                                                          "pipe2",
                                                          "select",
                                                          "pselect6",
                                                          "mlock",
                                                          "munlock",
                                                          "ftruncate"};

constexpr std::initializer_list<const char*> with_files = {"openat",          "open",
                                                           "newfstatat",      "stat",
                                                           "lstat",           "statx",
                                                           "access",          "faccessat",
                                                           "faccessat2",      "readlink",
                                                           "readlinkat",      "getdents64",
                                                           "unlink",          "unlinkat",
                                                           "rename",          "renameat",
                                                           "renameat2",       "link",
                                                           "linkat",          "mkdir",
                                                           "mkdirat",         "rmdir",
                                                           "fsync",           "fdatasync",
                                                           "sync_file_range", "fallocate",
                                                           "fchmod",          "umask",
                                                           "flock",           "getcwd",
                                                           "statfs",          "fstatfs",
                                                           "fadvise64",       "syncfs",
                                                           "copy_file_range", "utimensat",
                                                           "inotify_init1",   "inotify_add_watch",
                                                           "inotify_rm_watch"};

constexpr std::initializer_list<const char*> with_accept = {"accept4",     "accept",      "setsockopt",
                                                            "getsockname", "getpeername", "listen"};
constexpr std::initializer_list<const char*> with_connect = {"connect",     "bind",     "setsockopt", "getsockname",
                                                             "getpeername", "recvmmsg", "sendmmsg"};
constexpr std::initializer_list<const char*> with_connect_unix = {"connect"};
// No file of its own, which it could fill and then run.
constexpr std::initializer_list<const char*> without_run = {"memfd_create"};
constexpr std::initializer_list<const char*> with_run = {"execve", "openat",     "newfstatat",
                                                         "access", "getdents64", "set_tid_address"};
constexpr std::initializer_list<const char*> with_fork = {"wait4", "waitid", "kill", "close_range"};
constexpr std::initializer_list<const char*> with_change_of_user = {"setgroups", "setresgid", "setresuid"};
constexpr std::array tightening_options = {PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_DUMPABLE, PR_SET_SECCOMP,
                                           PR_SET_PDEATHSIG};
constexpr std::initializer_list<const char*> with_tighten = {"seccomp", "landlock_create_ruleset", "landlock_add_rule",
                                                             "landlock_restrict_self", "setrlimit"};

scmp_arg_cmp argument_is(unsigned position, scmp_datum_t value) { return {position, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp argument_is_not(unsigned position, scmp_datum_t value) { return {position, SCMP_CMP_NE, value, 0}; }
scmp_arg_cmp argument_bits_are(unsigned position, scmp_datum_t mask, scmp_datum_t value) {
  return {position, SCMP_CMP_MASKED_EQ, mask, value};
}

class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {}
  ~Filter() { ::seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void allow(std::initializer_list<const char*> names) { rules(SCMP_ACT_ALLOW, names); }
  void rules(std::uint32_t action, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      const int number = ::seccomp_syscall_resolve_name(name);
      if (number != __NR_SCMP_ERROR) rule(action, number, {});
    }
  }
  void rule(std::uint32_t action, int number, std::initializer_list<scmp_arg_cmp> conditions) {
    const int outcome =
        ::seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(conditions.size()), conditions.begin());
    // EACCES: the rule says what the filter does anyway.
    if (outcome != 0 && outcome != -EEXIST && outcome != -EACCES) failed_ = true;
  }
  // libseccomp writes the program to a descriptor only.
  Result<CallFilter> program() {
    const Error failure{ErrorKind::unsupported, "seccomp: the filter could not be made"};
    if (context_ == nullptr || failed_) return failure;
    constexpr std::uint32_t as_a_tree = 2;  // the kernel tries every call number against it: a list takes ten times as long
    (void)::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, as_a_tree);
    const int file = ::memfd_create("filter", MFD_CLOEXEC);
    if (file < 0) return failure;
    CallFilter filter;
    bool whole = ::seccomp_export_bpf(context_, file) == 0;
    const off_t size = ::lseek(file, 0, SEEK_END);
    if (whole && size > 0) {
      filter.program.resize(static_cast<std::size_t>(size) / sizeof(sock_filter));
      whole = ::pread(file, filter.program.data(), static_cast<std::size_t>(size), 0) == size;
    }
    ::close(file);
    if (!whole || filter.program.empty() || filter.program.size() > BPF_MAXINSNS) return failure;
    return filter;
  }

 private:
  scmp_filter_ctx context_;
  bool failed_ = false;
};

// Memory is never both made and run: no mapping and no change of one may ask for PROT_EXEC.
void allow_memory_without_exec(Filter& filter) {
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), {argument_bits_are(2, PROT_EXEC, 0)});
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), {argument_bits_are(2, PROT_EXEC, 0)});
}

// A program maps the code of its libraries. That stays code of packages: nothing that can be written can be mapped so, since
// whoever has this right may write no file and make none.
void allow_start_of_programs(Filter& filter) {
  constexpr scmp_datum_t set_thread_pointer = 0x1002;  // ARCH_SET_FS
  filter.allow(with_run);
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(arch_prctl), {argument_is(0, set_thread_pointer)});
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap),
              {argument_bits_are(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), argument_bits_are(3, MAP_ANONYMOUS, 0)});
}

void allow_descriptor_control(Filter& filter) {
  for (const int command :
       {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC, F_OFD_SETLK, F_OFD_GETLK}) {
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {argument_is(1, static_cast<scmp_datum_t>(command))});
  }
  // Reading a limit of our own, never setting one.
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), {argument_is(0, 0), argument_is(2, 0)});
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {argument_is(0, PR_SET_NAME)});
}

void allow_threads(Filter& filter) {
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(clone), {argument_bits_are(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM)});
}

void allow_fork(Filter& filter) {
  // A plain copy: neither a thread (has its own rule) nor any new namespace.
  constexpr scmp_datum_t namespaces =
      CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(clone), {argument_bits_are(0, namespaces | CLONE_VM | CLONE_PTRACE, 0)});
}

// Away from root and from all groups, never back.
void allow_change_of_user(Filter& filter) {
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(setgroups), {argument_is(0, 0)});
  for (const int change : {SCMP_SYS(setresgid), SCMP_SYS(setresuid)})
    filter.rule(SCMP_ACT_ALLOW, change, {argument_is_not(0, 0), argument_is_not(1, 0), argument_is_not(2, 0)});
}

void allow_sockets(Filter& filter, std::initializer_list<int> families) {
  for (const int family : families) {
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(socket), {argument_is(0, static_cast<scmp_datum_t>(family))});
  }
}

}  // namespace

Result<CallFilter> make_call_filter(const Profile& profile) {
  Filter filter(profile.violation == Violation::kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
  filter.allow(everybody);
  allow_memory_without_exec(filter);
  allow_descriptor_control(filter);
  if (has(profile, Right::run))
    allow_start_of_programs(filter);
  else
    filter.allow(without_run);
  // The C library tries clone3 first and takes clone when there is none; only clone's flags can be looked at.
  filter.rule(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), {});
  // Only ever a question about the terminal (isatty): no.
  filter.rule(SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), {});
  if (has(profile, Right::threads)) allow_threads(filter);
  if (has(profile, Right::files)) filter.allow(with_files);
  // SQLite asks for these as root only; a refusal is what it expects.
  filter.rule(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fchown), {});
  if (has(profile, Right::accept)) filter.allow(with_accept);
  if (has(profile, Right::connect)) {
    filter.allow(with_connect);
    allow_sockets(filter, {AF_INET, AF_INET6});
    // Address selection of the C library asks the kernel's routes; it does without.
    filter.rule(SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), {argument_is(0, AF_NETLINK)});
  }
  if (has(profile, Right::connect_unix)) {
    filter.allow(with_connect_unix);
    allow_sockets(filter, {AF_UNIX});
  }
  if (has(profile, Right::fork)) {
    filter.allow(with_fork);
    allow_fork(filter);
  }
  if (has(profile, Right::change_user)) allow_change_of_user(filter);
  if (has(profile, Right::tighten)) {
    filter.allow(with_tighten);
    for (const int option : tightening_options) {
      filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {argument_is(0, static_cast<scmp_datum_t>(option))});
    }
  }
  return filter.program();
}

Result<CallFilter> make_call_filter_of_copies(const Profile& copy, const Profile& zygote) {
  constexpr std::array may_be_lost = {Right::fork, Right::threads, Right::tighten, Right::change_user};
  const auto is_lost = [&](Right right) { return has(zygote, right) && !has(copy, right); };
  const bool adds = std::any_of(copy.rights.begin(), copy.rights.end(), [&](Right right) { return !has(zygote, right); });
  const bool loses_more = std::any_of(zygote.rights.begin(), zygote.rights.end(), [&](Right right) {
    return is_lost(right) && std::find(may_be_lost.begin(), may_be_lost.end(), right) == may_be_lost.end();
  });
  if (adds || loses_more || has(copy, Right::fork) || has(copy, Right::threads))
    return Error{ErrorKind::bug, "sandbox: " + copy.name + " is not what copies of " + zygote.name + " can become"};
  const std::uint32_t end = copy.violation == Violation::kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
  Filter filter(SCMP_ACT_ALLOW);
  filter.rule(end, SCMP_SYS(clone), {});
  if (is_lost(Right::fork)) filter.rules(end, with_fork);
  if (is_lost(Right::change_user)) filter.rules(end, with_change_of_user);
  if (is_lost(Right::tighten)) {
    filter.rules(end, with_tighten);
    for (const int option : tightening_options)
      filter.rule(end, SCMP_SYS(prctl), {argument_is(0, static_cast<scmp_datum_t>(option))});
  }
  return filter.program();
}

Status restrict_calls(const CallFilter& filter) {
  const sock_fprog program{static_cast<unsigned short>(filter.program.size()), const_cast<sock_filter*>(filter.program.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
    return Error{ErrorKind::unsupported, "seccomp: the kernel did not take the filter"};
  return done();
}

}  // namespace mailhold::sandbox
