#include "platform/ipc/zygote.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "platform/net/wait.h"

namespace mailhold::ipc {
namespace {

using namespace std::chrono_literals;

constexpr int control_descriptor = 3;
constexpr auto reap_interval = 100ms;  // the supervisor has long opened a pidfd of who ended in between
constexpr auto request_time_max = 5s;
constexpr int exit_unprepared = 71;

void reap() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

[[noreturn]] void become(int control, uid_t user, pid_t zygote, const std::function<int()>& be_daemon) {
  if (::dup3(control, control_descriptor, 0) < 0) ::_exit(exit_unprepared);
  if (::syscall(SYS_close_range, control_descriptor + 1, ~0U, 0) != 0) ::_exit(exit_unprepared);
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, user, user, user) != 0 ||
      ::syscall(SYS_setresuid, user, user, user) != 0) {
    ::_exit(exit_unprepared);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of the user takes it back, so after that
  if (::getppid() != zygote) ::_exit(exit_unprepared);
  ::_exit(be_daemon());
}

// Whether the zygote goes on.
bool answer(Channel& supervisor, Frame request, const std::function<int()>& be_daemon) {
  ByteReader reader(request.bytes);
  const uid_t user = reader.u32();
  if (!reader.finish() || request.fds.size() != 1 || user == 0) return false;
  const pid_t zygote = ::getpid();
  const pid_t copy = ::fork();
  if (copy == 0) become(request.fds.front().get(), user, zygote, be_daemon);
  return bool(supervisor.send(ByteWriter().u32(copy < 0 ? 0 : static_cast<std::uint32_t>(copy)).view(),
                              Deadline::after(request_time_max)));
}

}  // namespace

void serve_copies(const std::function<int()>& be_daemon) {
  Channel supervisor{OwnedFd(control_descriptor)};
  for (;;) {
    const Status asked = net::wait_until(supervisor.descriptor(), net::Ready::to_read, Deadline::after(reap_interval));
    if (!asked) {
      if (asked.error().kind != ErrorKind::timed_out) return;
      reap();
      continue;
    }
    Result<Frame> request = supervisor.receive(Deadline::after(request_time_max));
    if (!request || !answer(supervisor, std::move(*request), be_daemon)) return;
  }
}

Result<Copy> make_copy(Channel& zygote, uid_t user, int control, const Deadline& deadline) {
  const int descriptors[] = {control};
  RETURN_IF_ERROR(zygote.send(ByteWriter().u32(user).view(), descriptors, deadline));
  ASSIGN_OR_RETURN(const Frame reply, zygote.receive(deadline));
  ByteReader reader(reply.bytes);
  const auto pid = static_cast<pid_t>(reader.u32());
  if (!reader.finish() || pid < 0) return Error{ErrorKind::corrupt, "not an answer of a zygote"};
  if (pid == 0) return Error{ErrorKind::limit_exceeded, "the zygote could not fork"};
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return Error{ErrorKind::unavailable, std::string("pidfd_open: ") + std::strerror(errno)};
  return Copy{pid, OwnedFd(process)};
}

}  // namespace mailhold::ipc
