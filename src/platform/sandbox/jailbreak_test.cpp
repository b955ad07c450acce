// T12: what a program in each profile tries in order to get out. Every attempt must end by
// SIGSYS or be refused, but for those the profile's rights allow.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "platform/sandbox/layers.h"
#include "platform/sandbox/profiles.h"

namespace mailhold::sandbox {
namespace {

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) { return ::syscall(number, a, b, c, d, e); }
long at(const char* text) { return reinterpret_cast<long>(text); }
bool socket_of(int family, int type, int protocol = 0) { return ::socket(family, type, protocol) >= 0; }

struct Attempt {
  const char* name;
  bool (*make)();                       // true when it got through
  std::optional<Right> allowed_with{};  // the right that makes it legitimate
};

char stack_space[65536];

const Attempt attempts[] = {
    {"open_a_foreign_file", [] { return ::open("/etc/passwd", O_RDONLY) >= 0; }},
    {"open_by_old_call", [] { return call(SYS_open, at("/etc/passwd"), O_RDONLY) >= 0; }},
    {"openat2",
     [] {
       std::uint64_t how[3] = {0, 0, 0};
       return call(SYS_openat2, AT_FDCWD, at("/etc/passwd"), reinterpret_cast<long>(how), sizeof how) >= 0;
     }},
    {"open_the_root_folder", [] { return ::open("/", O_RDONLY | O_DIRECTORY) >= 0; }},
    {"create_in_tmp", [] { return ::open("/tmp/jailbreak-was-here", O_CREAT | O_WRONLY, 0600) >= 0; }},
    {"create_in_shm", [] { return ::open("/dev/shm/jailbreak-was-here", O_CREAT | O_WRONLY, 0600) >= 0; }},
    {"open_own_memory", [] { return ::open("/proc/self/mem", O_RDWR) >= 0; }},
    {"open_the_parents_memory",
     [] {
       char path[64];
       std::snprintf(path, sizeof path, "/proc/%d/mem", ::getppid());
       return ::open(path, O_RDONLY) >= 0;
     }},
    {"open_environ", [] { return ::open("/proc/self/environ", O_RDONLY) >= 0; }},
    {"write_a_kernel_setting", [] { return ::open("/proc/sys/kernel/core_pattern", O_WRONLY) >= 0; }},
    {"open_dev_mem", [] { return ::open("/dev/mem", O_RDONLY) >= 0; }},
    {"open_the_disk", [] { return ::open("/dev/vda", O_RDONLY) >= 0; }},
    {"open_by_handle", [] { return call(SYS_open_by_handle_at, AT_FDCWD, at("xxxxxxxxxxxxxxxx"), O_RDONLY) >= 0; }},
    {"link_a_foreign_file", [] { return ::link("/etc/passwd", "/tmp/jailbreak-link") == 0; }},
    {"rename_a_foreign_file", [] { return ::rename("/etc/hostname", "/etc/hostname-jailbreak") == 0; }},
    {"remove_a_foreign_file",
     [] { return ::unlink("/etc/hostname-none") == 0 || (errno != EPERM && errno != EACCES && errno != ENOENT); }},
    {"truncate_a_foreign_file", [] { return call(SYS_truncate, at("/etc/hostname"), 1 << 20) == 0; }},
    {"chmod", [] { return ::chmod("/tmp", 01777) == 0; }},
    {"chown", [] { return ::chown("/tmp", 0, 0) == 0; }},
    {"make_a_device", [] { return ::mknod("/tmp/jailbreak-dev", S_IFCHR | 0600, 0x101) == 0; }},
    {"symlink", [] { return ::symlink("/etc/passwd", "/tmp/jailbreak-symlink") == 0; }},
    {"chroot", [] { return ::chroot("/tmp") == 0; }},
    {"chdir", [] { return ::chdir("/tmp") == 0; }},
    {"pivot_root", [] { return call(SYS_pivot_root, at("/"), at("/")) == 0; }},
    {"mount", [] { return ::mount("none", "/mnt", "tmpfs", 0, nullptr) == 0; }},
    {"umount", [] { return ::umount2("/mnt", 0) == 0; }},
    {"new_mount_calls", [] { return call(SYS_fsopen, at("tmpfs"), 0) >= 0; }},
    {"open_tree", [] { return call(SYS_open_tree, AT_FDCWD, at("/"), 1) >= 0; }},
    {"execve",
     [] {
       char* const none[] = {nullptr};
       ::execve("/bin/true", none, none);
       return false;
     }},
    {"execveat",
     [] {
       call(SYS_execveat, AT_FDCWD, at("/bin/true"), 0, 0, 0);
       return false;
     }},
    {"run_from_memory",
     [] {
       const int fd = static_cast<int>(call(SYS_memfd_create, at("x"), 0));
       (void)!::write(fd, "#!/bin/true\n", 12);
       call(SYS_execveat, fd, at(""), 0, 0, AT_EMPTY_PATH);
       return false;
     }},
    {"map_runnable_memory",
     [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }},
    {"map_then_make_runnable",
     [] {
       void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       return page != MAP_FAILED && ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
     }},
    {"map_runnable_memory_of_its_own",
     [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }},
    {"fill_a_file_and_map_it_runnable",
     [] {
       const int fd = static_cast<int>(call(SYS_memfd_create, at("x"), 0));
       return fd >= 0 && ::write(fd, stack_space, 4096) == 4096 &&
              ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED;
     }},
    {"make_a_library_writable",
     [] { return ::open("/lib/x86_64-linux-gnu/libc.so.6", O_RDWR) >= 0 || ::open("/etc/ld.so.cache", O_RDWR) >= 0; }},
    {"pkey_mprotect",
     [] { return call(SYS_pkey_mprotect, reinterpret_cast<long>(stack_space) & ~4095L, 4096, PROT_EXEC, -1) == 0; }},
    {"share_memory_by_sysv", [] { return call(SYS_shmget, 0, 4096, 01600) >= 0; }},
    {"fork",
     [] {
       const long child = call(SYS_fork);
       if (child == 0) ::_exit(0);
       return child > 0;
     }},
    {"vfork",
     [] {
       const long child =
           call(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, reinterpret_cast<long>(stack_space + sizeof stack_space));
       if (child == 0) ::_exit(0);
       return child > 0;
     }},
    {"clone_as_fork",
     [] {
       const long child = call(SYS_clone, SIGCHLD);
       if (child == 0) ::_exit(0);
       return child > 0;
     },
     Right::fork},
    {"clone_into_a_user_namespace",
     [] {
       const long child = call(SYS_clone, CLONE_NEWUSER | SIGCHLD);
       if (child == 0) ::_exit(0);
       return child > 0;
     }},
    {"clone_into_a_network_namespace",
     [] {
       const long child = call(SYS_clone, CLONE_NEWNET | SIGCHLD);
       if (child == 0) ::_exit(0);
       return child > 0;
     }},
    {"clone3",
     [] {
       std::uint64_t arguments[8] = {0, 0, 0, 0, SIGCHLD, 0, 0, 0};
       const long child = call(SYS_clone3, reinterpret_cast<long>(arguments), sizeof arguments);
       if (child == 0) ::_exit(0);
       return child > 0;
     }},
    {"unshare_user", [] { return ::unshare(CLONE_NEWUSER) == 0; }},
    {"unshare_network", [] { return ::unshare(CLONE_NEWNET) == 0; }},
    {"setns", [] { return ::setns(0, 0) == 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES); }},
    {"ptrace_itself", [] { return call(SYS_ptrace, 0, 0, 0, 0) == 0; }},
    {"ptrace_the_parent", [] { return call(SYS_ptrace, 16, ::getppid(), 0, 0) == 0; }},
    {"read_another_process",
     [] {
       char buffer[16];
       iovec local{buffer, 16}, remote{stack_space, 16};
       return ::process_vm_readv(::getppid(), &local, 1, &remote, 1, 0) > 0;
     }},
    {"write_another_process",
     [] {
       char buffer[16] = {};
       iovec local{buffer, 16}, remote{stack_space, 16};
       return ::process_vm_writev(::getppid(), &local, 1, &remote, 1, 0) > 0;
     }},
    {"pidfd_of_the_parent", [] { return call(SYS_pidfd_open, ::getppid(), 0) >= 0; }},
    {"take_a_descriptor_of_another", [] { return call(SYS_pidfd_getfd, 0, 0, 0) >= 0; }},
    {"kill_the_parent_gently", [] { return ::kill(::getppid(), 0) == 0; }, Right::fork},
    {"queue_a_signal",
     [] {
       siginfo_t information{};
       return call(SYS_rt_sigqueueinfo, ::getppid(), SIGUSR1, reinterpret_cast<long>(&information)) == 0;
     }},
    {"internet_socket", [] { return socket_of(AF_INET, SOCK_STREAM); }, Right::connect},
    {"internet_datagram", [] { return socket_of(AF_INET6, SOCK_DGRAM); }, Right::connect},
    {"raw_socket", [] { return socket_of(AF_PACKET, SOCK_RAW, 3); }},
    {"netlink_socket", [] { return socket_of(AF_NETLINK, SOCK_RAW); }},
    {"vsock", [] { return socket_of(AF_VSOCK, SOCK_STREAM); }},
    {"kernel_crypto_socket", [] { return socket_of(AF_ALG, SOCK_SEQPACKET); }},
    {"unix_socket", [] { return socket_of(AF_UNIX, SOCK_STREAM); }, Right::connect_unix},
    {"abstract_unix_bind",
     [] {
       const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
       sockaddr_un address{};
       address.sun_family = AF_UNIX;
       std::memcpy(address.sun_path, "\0jailbreak", 10);
       return ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t) + 10) == 0;
     }},
    {"io_uring",
     [] {
       char parameters[256] = {};
       return call(SYS_io_uring_setup, 4, reinterpret_cast<long>(parameters)) >= 0;
     }},
    {"userfaultfd", [] { return call(SYS_userfaultfd, 0) >= 0; }},
    {"bpf",
     [] {
       char attributes[128] = {};
       return call(SYS_bpf, 0, reinterpret_cast<long>(attributes), sizeof attributes) >= 0;
     }},
    {"perf_event",
     [] {
       char attributes[128] = {};
       return call(SYS_perf_event_open, reinterpret_cast<long>(attributes), 0, -1, -1, 0) >= 0;
     }},
    {"keyring", [] { return call(SYS_keyctl, 0, -3, 0) >= 0; }},
    {"add_key", [] { return call(SYS_add_key, at("user"), at("x"), at("y"), 1, -3) >= 0; }},
    {"load_a_module", [] { return call(SYS_finit_module, 0, at(""), 0) == 0; }},
    {"kexec", [] { return call(SYS_kexec_load, 0, 0, 0, 0) == 0; }},
    {"reboot", [] { return call(SYS_reboot, 0, 0, 0, 0) == 0; }},
    {"swapon", [] { return call(SYS_swapon, at("/tmp/x"), 0) == 0; }},
    {"set_the_clock",
     [] {
       timespec time{};
       ::clock_gettime(CLOCK_REALTIME, &time);
       return ::clock_settime(CLOCK_REALTIME, &time) == 0;
     }},
    {"set_the_host_name", [] { return ::sethostname("x", 1) == 0; }},
    {"become_root", [] { return call(SYS_setresuid, 0, 0, 0) == 0; }},
    {"change_group", [] { return call(SYS_setresgid, 0, 0, 0) == 0; }},
    {"take_capabilities",
     [] {
       std::uint32_t header[2] = {0x20080522, 0};
       std::uint32_t data[6] = {};
       return call(SYS_capset, reinterpret_cast<long>(header), reinterpret_cast<long>(data)) == 0;
     }},
    {"raise_a_limit",
     [] {
       const rlimit more{RLIM_INFINITY, RLIM_INFINITY};
       return ::setrlimit(RLIMIT_CORE, &more) == 0;
     }},
    {"become_dumpable_again", [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; }, Right::tighten},
    {"more_seccomp_control", [] { return call(SYS_seccomp, 1, 0, 0) == 0; }},
    {"personality", [] { return call(SYS_personality, 0x0040000) >= 0; }},
    {"read_the_kernel_log",
     [] {
       char buffer[64];
       return call(SYS_syslog, 3, reinterpret_cast<long>(buffer), sizeof buffer) >= 0;
     }},
    {"type_into_the_terminal",
     [] {
       char letter = 'x';
       return call(SYS_ioctl, 0, 0x5412, reinterpret_cast<long>(&letter)) == 0;
     }},
    {"fanotify", [] { return call(SYS_fanotify_init, 0, 0) >= 0; }},
    {"name_to_handle",
     [] {
       char handle[128] = {};
       int mount = 0;
       return call(SYS_name_to_handle_at, AT_FDCWD, at("/"), reinterpret_cast<long>(handle), reinterpret_cast<long>(&mount), 0) ==
              0;
     }},
};

// Landlock needs the folders to exist.
std::map<std::string, std::string> test_folders() {
  std::map<std::string, std::string> folders;
  const std::filesystem::path root = std::filesystem::temp_directory_path() / ("jailbreak-" + std::to_string(::getpid()));
  for (const char* name : {"keystore", "ledger", "broker", "spool", "store", "notices", "links", "directory"}) {
    std::filesystem::create_directories(root / name);
    folders[name] = root / name;
  }
  return folders;
}

constexpr int exit_got_through = 77;
constexpr int exit_no_layers = 78;

// `zygote`: what the process is in before.
int outcome_in_child(const PreparedProfile& profile, const Attempt& attempt, const PreparedProfile* zygote = nullptr) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (zygote != nullptr && !zygote->tighten()) ::_exit(exit_no_layers);
    ::_exit(!profile.tighten() ? exit_no_layers : attempt.make() ? exit_got_through : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

class T12_jail : public testing::TestWithParam<std::string> {};

void expect_no_attempt_gets_out(const Profile& profile, const PreparedProfile& prepared,
                                const PreparedProfile* zygote = nullptr) {
  int refused = 0, killed = 0, allowed = 0;
  for (const Attempt& attempt : attempts) {
    if (attempt.allowed_with && has(profile, *attempt.allowed_with)) {
      ++allowed;
      continue;
    }
    const int status = outcome_in_child(prepared, attempt, zygote);
    if (WIFSIGNALED(status)) {
      EXPECT_EQ(WTERMSIG(status), SIGSYS) << attempt.name;
      ++killed;
    } else {
      EXPECT_EQ(WEXITSTATUS(status), 0) << attempt.name
                                        << (WEXITSTATUS(status) == exit_got_through ? " got through" : " could not be tried");
      ++refused;
    }
  }
  std::printf("T12 %s: %zu attempts, %d killed, %d refused, %d allowed by a right\n", profile.name.c_str(), std::size(attempts),
              killed, refused, allowed);
  EXPECT_GE(std::size(attempts), 60U);
}

TEST_P(T12_jail, no_attempt_gets_out) {
  const auto folders = test_folders();
  const Profile profile = profile_of(GetParam(), folders);
  const auto prepared = PreparedProfile::make(profile);
  ASSERT_TRUE(prepared);
  expect_no_attempt_gets_out(profile, *prepared);
  std::filesystem::remove_all(std::filesystem::path(folders.at("spool")).parent_path());
}
INSTANTIATE_TEST_SUITE_P(, T12_jail, testing::ValuesIn(profile_names()), [](const auto& each) {
  std::string name = each.param;
  for (char& letter : name) letter = letter == '-' ? '_' : letter;
  return name;
});

TEST(T12_copies, no_attempt_gets_out_of_a_copy_of_the_zygote) {
  const Profile authd = profile_of("authd", {}), zygote = profile_of("authd-zygote", {});
  const auto before = PreparedProfile::make(zygote);
  const auto copies = PreparedProfile::make_for_copies(authd, zygote);
  ASSERT_TRUE(before && copies);
  expect_no_attempt_gets_out(authd, *copies, &*before);
}

// Whatever the two profiles become: each call that the zygote may make and its copies may not ends them.
TEST(T12_copies, what_the_zygote_may_do_beyond_authd_ends_a_copy) {
  const Profile authd = profile_of("authd", {}), zygote = profile_of("authd-zygote", {});
  const auto before = PreparedProfile::make(zygote);
  const auto whole = PreparedProfile::make(authd), copies = PreparedProfile::make_for_copies(authd, zygote);
  ASSERT_TRUE(before && whole && copies);
  const Attempt beyond[] = {
      {"thread", [] { return call(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, at(stack_space) + 65536) >= 0; }},
      {"wait", [] { return call(SYS_wait4, -1, 0, 1) >= 0 || errno == ECHILD; }},
      {"another_user", [] { return call(SYS_setresuid, 1234, 1234, 1234) == 0; }},
      {"another_group", [] { return call(SYS_setresgid, 1234, 1234, 1234) == 0; }},
      {"no_groups", [] { return call(SYS_setgroups, 0, 0) == 0; }},
      {"another_filter", [] { return call(SYS_seccomp, 1, 0, 0) == 0 || errno != EPERM; }},
      {"another_ruleset", [] { return call(SYS_landlock_create_ruleset, 0, 0, 1) >= 0; }},
      {"a_limit", [] { return call(SYS_setrlimit, RLIMIT_CORE, 0) == 0 || errno == EFAULT; }},
      {"close_all", [] { return call(SYS_close_range, 100, ~0U, 0) == 0; }},
      {"outlive_the_zygote", [] { return ::prctl(PR_SET_PDEATHSIG, 0) == 0; }},
      {"signal", [] { return ::kill(::getpid(), 0) == 0; }},
  };
  for (const Attempt& attempt : beyond) {
    for (const auto* jail : {&*whole, &*copies}) {
      const int status = outcome_in_child(*jail, attempt, jail == &*copies ? &*before : nullptr);
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << attempt.name << (jail == &*copies ? " in a copy" : "");
    }
  }
}

// The exit code of a program that was started in the jail of documents; -1: it was not.
int run_as_document_program(std::initializer_list<const char*> words) {
  const auto jail = PreparedProfile::make(profile_of("document-program", {}));
  EXPECT_TRUE(jail);
  std::vector<char*> arguments;
  for (const char* word : words) arguments.push_back(const_cast<char*>(word));
  arguments.push_back(nullptr);
  char* const environment[] = {nullptr};
  constexpr int not_started = 99;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!jail->tighten()) ::_exit(exit_no_layers);
    ::execve(arguments.front(), arguments.data(), environment);
    ::_exit(errno == EACCES ? not_started : exit_got_through);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status) == not_started ? -1 : WEXITSTATUS(status);
}

TEST(T12_document_program, is_the_only_one_that_runs_and_reads_no_file_that_is_not_public) {
  ASSERT_EQ(::access("/usr/bin/pdftotext", X_OK), 0) << "packaging/setup run";
  EXPECT_EQ(run_as_document_program({"/usr/bin/pdftotext", "-v"}), 0);
  for (const char* other : {"/bin/true", "/bin/sh", "/usr/bin/pdfinfo", "/usr/bin/python3", "/proc/self/exe"})
    EXPECT_EQ(run_as_document_program({other}), -1) << other;
  // The loader may be run, since the kernel runs every program by it, and finds nothing that it could load.
  constexpr int exit_of_the_loader = 127;
  EXPECT_EQ(run_as_document_program({"/lib64/ld-linux-x86-64.so.2", "/bin/true"}), exit_of_the_loader);
  EXPECT_EQ(run_as_document_program({"/lib64/ld-linux-x86-64.so.2", "/usr/bin/pdfinfo"}), exit_of_the_loader);
  constexpr int exit_unreadable = 1;
  const std::string sample = std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/words.pdf";
  ASSERT_EQ(::access(sample.c_str(), R_OK), 0);
  EXPECT_EQ(run_as_document_program({"/usr/bin/pdftotext", "-q", sample.c_str(), "-"}), exit_unreadable);
}

TEST(T2_document_program, has_none_of_its_memory_in_a_core) {
  int document[2];
  ASSERT_EQ(::pipe(document), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(document[0], STDIN_FILENO);
    ::close(document[0]);
    ::close(document[1]);
    if (!enter(profile_of("document-zygote", {}))) ::_exit(exit_no_layers);
    char program[] = "/usr/bin/pdftotext", quiet[] = "-q", standard[] = "-";
    char* const arguments[] = {program, quiet, standard, standard, nullptr};
    char* const environment[] = {nullptr};
    ::execve(program, arguments, environment);
    ::_exit(exit_got_through);
  }
  ::close(document[0]);
  const std::filesystem::path its = "/proc/" + std::to_string(child);
  std::error_code gone;
  for (int i = 0; i < 3000 && std::filesystem::read_symlink(its / "exe", gone) != "/usr/bin/pdftotext"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(std::filesystem::read_symlink(its / "exe", gone), "/usr/bin/pdftotext");
  std::string filter, limit;
  std::getline(std::ifstream(its / "coredump_filter") >> std::ws, filter);
  EXPECT_EQ(filter, "00000000");
  std::ifstream limits(its / "limits");
  while (std::getline(limits, limit) && !limit.starts_with("Max core file size")) {
  }
  EXPECT_NE(limit.find(" 0 "), std::string::npos) << limit;
  ::close(document[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
}

TEST(Sandbox, a_profile_that_is_not_the_narrower_one_is_none_for_copies) {
  EXPECT_FALSE(PreparedProfile::make_for_copies(profile_of("authd-zygote", {}), profile_of("authd", {})));
  EXPECT_FALSE(PreparedProfile::make_for_copies(profile_of("keyd", {}), profile_of("authd-zygote", {})));
  EXPECT_FALSE(PreparedProfile::make_for_copies(profile_of("scanner", {}), profile_of("authd-zygote", {})));
}

TEST(Sandbox, enters_every_profile_after_its_self_test_and_still_serves) {
  const auto folders = test_folders();
  for (const auto& name : profile_names()) {
    const pid_t child = ::fork();
    if (child == 0) {
      const Status entered = enter(profile_of(name, folders));
      if (!entered) std::fprintf(stderr, "%s: %s\n", name.c_str(), entered.error().detail.c_str());
      ::_exit(entered ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << name;
  }
  std::filesystem::remove_all(std::filesystem::path(folders.at("spool")).parent_path());
}

TEST(Sandbox, threads_take_and_give_back_memory_in_the_jail) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!enter(profile_of("keyd", {}))) ::_exit(1);
    std::vector<std::thread> threads;
    for (int i = 0; i < 32; ++i) threads.emplace_back([] { std::vector<std::string>(64, std::string(100'000, 'x')).clear(); });
    for (std::thread& each : threads) each.join();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << (WIFSIGNALED(status) ? "killed" : "refused");
}

TEST(Sandbox, a_zygote_forks_copies_that_tighten_themselves) {
  const pid_t zygote = ::fork();
  if (zygote == 0) {
    const auto jail = PreparedProfile::make(profile_of("scanner", {}));
    if (!jail || !enter(profile_of("scannerd", {}))) ::_exit(1);
    const pid_t worker = ::fork();
    if (worker == 0) {
      if (!jail->tighten()) ::_exit(2);
      ::fork();  // must end it
      ::_exit(3);
    }
    int status = 0;
    ::waitpid(worker, &status, 0);
    ::_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? 0 : 4);
  }
  int status = 0;
  ::waitpid(zygote, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(WIFEXITED(status));
}

TEST(Sandbox, a_folder_of_its_own_stays_usable) {
  const auto folders = test_folders();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto profile = PreparedProfile::make(profile_of("ledgerd", folders));
    if (!profile || !profile->tighten()) ::_exit(1);
    const int file = ::open((folders.at("ledger") + "/entry").c_str(), O_CREAT | O_RDWR, 0600);
    ::_exit(file >= 0 && ::write(file, "x", 1) == 1 && ::fdatasync(file) == 0 &&
                    ::unlink((folders.at("ledger") + "/entry").c_str()) == 0
                ? 0
                : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::filesystem::remove_all(std::filesystem::path(folders.at("spool")).parent_path());
}

}  // namespace
}  // namespace mailhold::sandbox
