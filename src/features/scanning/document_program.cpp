#include "features/scanning/document_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/net/wait.h"

namespace mailhold::scanning {
namespace {

// The last byte on the socket: no program ends its text with one of them.
constexpr char succeeded = '\0', failed = '\1';
constexpr int exit_unprepared = 71;

void limit_cpu_of_program(std::chrono::seconds most) {
  const rlimit both{static_cast<rlim_t>(most.count()), static_cast<rlim_t>(most.count())};
  // The system call of that name: the C library would take prlimit64, which no profile may use to set a limit.
  (void)::syscall(SYS_setrlimit, RLIMIT_CPU, &both);
}

// Descriptors 0 and 1 are the socket, 2 a pipe that nobody reads, and there are no others.
[[noreturn]] void become_program(int socket, int complaints, const DocumentProgram& program, char* const* arguments,
                                 pid_t keeper) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::_exit(exit_unprepared);
  if (::dup3(socket, STDIN_FILENO, 0) < 0 || ::dup3(socket, STDOUT_FILENO, 0) < 0 || ::dup3(complaints, STDERR_FILENO, 0) < 0 ||
      ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) != 0)
    ::_exit(exit_unprepared);
  ::signal(SIGPIPE, SIG_DFL);  // nobody reads any more: no use to go on
  limit_cpu_of_program(program.cpu_max);
  if (program.confine && !program.confine()) ::_exit(exit_unprepared);
  char* const no_environment[] = {nullptr};
  ::execve(program.path.c_str(), arguments, no_environment);
  ::_exit(exit_unprepared);
}

// Programs expect to wait in read() and write().
bool let_wait(int socket) {
  const int flags = ::fcntl(socket, F_GETFL);
  return flags >= 0 && ::fcntl(socket, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

// SIGALRM ends this process, and the kernel its child with it.
void end_after(std::chrono::seconds most) {
  const itimerval once{{0, 0}, {most.count(), 0}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

// As much as the program takes: one that ends early has said all that it says.
Status give(int socket, std::string_view document, const Deadline& deadline) {
  while (!document.empty()) {
    const ssize_t sent = ::send(socket, document.data(), document.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      document.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno == EAGAIN) {
      RETURN_IF_ERROR(net::wait_until(socket, net::Ready::to_write, deadline));
    } else if (sent == 0 || errno != EINTR) {
      break;
    }
  }
  ::shutdown(socket, SHUT_WR);
  return done();
}

}  // namespace

bool is_installed(const DocumentProgram& program) { return ::access(program.path.c_str(), X_OK) == 0; }

void serve_document(ipc::OwnedFd socket, const DocumentProgram& program) {
  int complaints[2];
  if (!let_wait(socket.get()) || ::pipe2(complaints, O_CLOEXEC | O_NONBLOCK) != 0) return;
  end_after(program.time_max);
  std::vector<char*> arguments{const_cast<char*>(program.path.c_str())};
  for (const std::string& argument : program.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t keeper = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become_program(socket.get(), complaints[1], program, arguments.data(), keeper);
  int status = 0;
  const bool ended = child > 0 && ::waitpid(child, &status, 0) == child;
  const char outcome = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? succeeded : failed;
  (void)::send(socket.get(), &outcome, 1, MSG_NOSIGNAL);
}

DocumentText read_by_program(ipc::OwnedFd socket, std::string_view document, std::size_t bytes_max, const Deadline& deadline) {
  DocumentText read;
  if (!give(socket.get(), document, deadline)) return read;
  std::array<char, 16U << 10> buffer;
  while (read.text.size() <= bytes_max) {
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      read.text.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got < 0 && errno == EAGAIN) {
      if (!net::wait_until(socket.get(), net::Ready::to_read, deadline)) return read;
    } else if (got == 0 || errno != EINTR) {
      break;
    }
  }
  const bool has_outcome = !read.text.empty() && (read.text.back() == succeeded || read.text.back() == failed);
  read.whole = has_outcome && read.text.back() == succeeded && read.text.size() <= bytes_max + 1;
  if (has_outcome) read.text.pop_back();
  read.text.resize(std::min(read.text.size(), bytes_max));
  return read;
}

}  // namespace mailhold::scanning
