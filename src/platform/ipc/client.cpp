#include "platform/ipc/client.h"

#include "base/bytes.h"

namespace mailhold::ipc {

// One channel with its reading thread and the calls that wait on it. The thread is started
// by the first call, so that a process can enter its sandbox before it has threads.
struct Client::Connection {
  explicit Connection(OwnedFd socket) : channel(std::move(socket)) {}
  ~Connection() {
    channel.close();
    if (reader.joinable()) reader.join();
  }

  struct Waiting {
    std::optional<Result<Frame>> outcome;
    std::condition_variable answered;
  };

  void read_replies(const std::stop_token& stop) {
    const Deadline forever{std::chrono::steady_clock::now() + std::chrono::hours(24 * 365), stop};
    for (;;) {
      Result<Frame> frame = channel.receive(forever);
      const std::lock_guard lock(mutex);
      if (!frame) {
        lost = true;
        for (auto& [number, waiting] : calls) finish(*waiting, frame.error());
        return;
      }
      ByteReader reply(frame->bytes);
      const std::uint64_t number = reply.u64();
      const std::uint8_t outcome = reply.u8();
      const auto found = calls.find(number);
      if (!reply.ok() || found == calls.end()) continue;  // the caller has given up
      if (outcome == 0) {
        frame->bytes.erase(0, 9);
        finish(*found->second, std::move(frame));
      } else {
        const auto kind = outcome - 1 <= static_cast<int>(ErrorKind::bug) ? static_cast<ErrorKind>(outcome - 1) : ErrorKind::bug;
        finish(*found->second, Error{kind, std::string(reply.rest())});
      }
    }
  }

  static void finish(Waiting& waiting, Result<Frame> outcome) {
    if (!waiting.outcome) waiting.outcome.emplace(std::move(outcome));
    waiting.answered.notify_one();
  }

  Channel channel;
  std::mutex mutex;
  std::map<std::uint64_t, Waiting*> calls;  // guarded by mutex, as are the next three
  std::uint64_t next_number = 1;
  bool lost = false;
  bool started = false;
  std::jthread reader;
};

Client::Client(std::string peer_name, OwnedFd socket) : peer_name_(std::move(peer_name)) { connect(std::move(socket)); }
Client::~Client() = default;

void Client::connect(OwnedFd socket) {
  auto fresh = std::make_shared<Connection>(std::move(socket));
  std::shared_ptr<Connection> old;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(connection_, std::move(fresh));
  }
  if (old) old->channel.close();  // its reader tells the callers under way
}

std::shared_ptr<Client::Connection> Client::current() const {
  const std::lock_guard lock(mutex_);
  return connection_;
}

Result<Frame> Client::call(std::uint16_t method, std::string_view body, std::span<const int> fds, const Deadline& deadline) {
  const std::shared_ptr<Connection> connection = current();
  if (!connection) return Error{ErrorKind::unavailable, peer_name_ + " is not connected"};
  Connection::Waiting waiting;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(connection->mutex);
    if (connection->lost) return Error{ErrorKind::unavailable, peer_name_ + " is away"};
    number = connection->next_number++;
    connection->calls[number] = &waiting;
    if (!connection->started) {
      connection->started = true;
      Connection* raw = connection.get();
      connection->reader = std::jthread([raw](const std::stop_token& stop) { raw->read_replies(stop); });
    }
  }
  ByteWriter request;
  request.u64(number).u16(method).raw(body);
  const Status sent = connection->channel.send(request.view(), fds, deadline);

  std::unique_lock lock(connection->mutex);
  std::stop_callback on_stop(deadline.stop, [&] { waiting.answered.notify_all(); });
  if (sent) {
    waiting.answered.wait_until(lock, deadline.at, [&] { return waiting.outcome || deadline.stop.stop_requested(); });
  }
  connection->calls.erase(number);
  if (waiting.outcome) {
    if (!*waiting.outcome) return waiting.outcome->error().while_doing(peer_name_);
    return std::move(*waiting.outcome);
  }
  if (!sent) return sent.error().while_doing(peer_name_);
  if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "asked to stop"};
  return Error{ErrorKind::timed_out, peer_name_ + " did not answer in time"};
}

CallBytes calls_to(std::shared_ptr<Client> peer) {
  return [peer = std::move(peer)](std::uint16_t method, std::string_view body, const Deadline& deadline) -> Result<std::string> {
    ASSIGN_OR_RETURN(Frame reply, peer->call(method, body, deadline));
    return std::move(reply.bytes);
  };
}

}  // namespace mailhold::ipc
