#include "features/scanning/zygote.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "base/bytes.h"
#include "base/log.h"
#include "platform/net/wait.h"

namespace mailhold::scanning {
namespace {

constexpr std::chrono::milliseconds reap_interval{500};
constexpr std::chrono::milliseconds request_time_max{10'000};
enum Request : std::uint8_t { start = 1, kill_one = 2 };

// In a new copy: of all descriptors it inherited, that one stays (as number 3) beside the standard ones. What the
// others stand for lives on in the processes they belong to, so nothing is shut down.
ipc::OwnedFd keep_only(ipc::OwnedFd& socket) {
  constexpr int kept = 3;
  const int descriptor = socket.release();
  if (descriptor != kept) {
    if (::dup2(descriptor, kept) < 0) ::_exit(78);
  }
  if (::close_range(kept + 1, ~0U, 0) != 0) ::_exit(78);
  return ipc::OwnedFd(kept);
}

// Inside the zygote process.
class Nursery {
 public:
  Nursery(ipc::OwnedFd socket, const ZygoteSettings& settings) : channel_(std::move(socket)), settings_(settings) {}

  void serve() {
    for (;;) {
      reap();
      const Status ready = net::wait_until(channel_.descriptor(), net::Ready::to_read, Deadline::after(reap_interval));
      if (!ready) {
        if (ready.error().kind == ErrorKind::timed_out) continue;
        return;
      }
      auto frame = channel_.receive(Deadline::after(request_time_max));
      if (!frame || !take(frame->bytes)) return;
    }
  }

 private:
  bool take(std::string_view bytes) {
    ByteReader reader(bytes);
    const std::uint8_t request = reader.u8();
    if (request == kill_one) {
      const std::uint64_t number = reader.u64();
      if (!reader.finish()) return false;
      for (const auto& [process, known] : workers_) {
        if (known == number) ::kill(process, SIGKILL);
      }
      return true;
    }
    const Id tenant = Id::from_bytes(reader.raw(Id::size));
    if (request != start || !reader.finish()) return false;
    return start_one(tenant);
  }

  bool start_one(const Id& tenant) {
    reap();
    auto ends = ipc::Channel::socket_pair();
    if (!ends || workers_.size() >= settings_.workers_max) return refuse();
    const pid_t process = ::fork();
    if (process < 0) return refuse();
    if (process == 0) {
      ::close(ends->first.release());
      become_worker(std::move(ends->second), tenant);
    }
    const std::uint64_t number = ++last_number_;
    workers_[process] = number;
    const int descriptor = ends->first.get();
    return bool(channel_.send(ByteWriter().u8(1).u64(number).view(), std::span<const int>(&descriptor, 1),
                              Deadline::after(request_time_max)));
  }

  bool refuse() { return bool(channel_.send(ByteWriter().u8(0).view(), Deadline::after(request_time_max))); }

  [[noreturn]] void become_worker(ipc::OwnedFd socket, const Id& tenant) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // does not outlive the zygote
    ::close(channel_.descriptor());      // ours alone: the zygote's stays open
    if (settings_.confine_worker) {
      if (const Status confined = settings_.confine_worker(tenant); !confined) {
        log_error("scanning", "a worker could not be confined: " + confined.error().detail);
        ::_exit(78);
      }
    }
    if (settings_.serve)
      settings_.serve(std::move(socket), tenant);
    else
      serve_worker(std::move(socket), tenant, settings_.worker);
    ::_exit(0);
  }

  void reap() {
    int status = 0;
    for (pid_t process = ::waitpid(-1, &status, WNOHANG); process > 0; process = ::waitpid(-1, &status, WNOHANG))
      workers_.erase(process);
  }

  ipc::Channel channel_;
  const ZygoteSettings& settings_;
  std::map<pid_t, std::uint64_t> workers_;
  std::uint64_t last_number_ = 0;
};

}  // namespace

Result<std::unique_ptr<Zygote>> Zygote::start(const ZygoteSettings& settings) {
  auto ends = ipc::Channel::socket_pair();
  if (!ends) return ends.error();
  const pid_t process = ::fork();
  if (process < 0) return Error{ErrorKind::unavailable, "the zygote could not be forked"};
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ipc::OwnedFd only = keep_only(ends->second);
    ends->first.release();
    if (settings.confine_zygote) {
      if (const Status confined = settings.confine_zygote(); !confined) {
        log_error("scanning", "the zygote could not be confined: " + confined.error().detail);
        ::_exit(78);
      }
    }
    Nursery(std::move(only), settings).serve();
    ::_exit(0);
  }
  return std::unique_ptr<Zygote>(new Zygote(std::move(ends->first), process));
}

Zygote::~Zygote() {
  channel_.close();
  ::waitpid(process_, nullptr, 0);
}

Result<WorkerHandle> Zygote::start_worker(const Id& tenant, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  // Said only once it is true: other threads look at it at any time.
  const auto is_dead = [this](Error error) {
    alive_ = false;
    return error;
  };
  if (Status sent = channel_.send(ByteWriter().u8(Request::start).raw(tenant.bytes()).view(), deadline); !sent) {
    return is_dead(std::move(sent.error()));
  }
  Result<ipc::Frame> answer = channel_.receive(deadline);
  if (!answer) return is_dead(std::move(answer.error()));
  ipc::Frame reply = std::move(*answer);
  ByteReader reader(reply.bytes);
  if (reader.u8() != 1) return Error{ErrorKind::unavailable, "the zygote has no room for a worker"};
  WorkerHandle handle;
  handle.number = reader.u64();
  RETURN_IF_ERROR(reader.finish());
  if (reply.fds.size() != 1) return Error{ErrorKind::unavailable, "the zygote gave no socket"};
  handle.socket = reply.fds.front().release();
  return handle;
}

void Zygote::kill_worker(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  (void)channel_.send(ByteWriter().u8(Request::kill_one).u64(number).view(), Deadline::after(request_time_max));
}

}  // namespace mailhold::scanning
