#include "platform/ipc/client.h"

#include "base/bytes.h"

namespace mailhold::ipc {
namespace {

constexpr std::size_t reply_header_bytes = 9;  // number, outcome

std::string request_of(std::uint64_t number, std::uint16_t method, std::string_view body) {
  return ByteWriter().u64(number).u16(method).raw(body).take();
}

}  // namespace

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
      const auto found = calls.find(number_of(*frame));
      if (found == calls.end()) continue;  // the caller has given up
      finish(*found->second, outcome_of(std::move(*frame)));
    }
  }

  Result<Frame> wait_for_reply(std::uint64_t number, const Deadline& deadline) {
    for (;;) {
      ASSIGN_OR_RETURN(Frame frame, channel.receive(deadline));
      if (number_of(frame) == number) return outcome_of(std::move(frame));  // another: its caller has given up
    }
  }

  static std::uint64_t number_of(const Frame& frame) {
    ByteReader reply(frame.bytes);
    const std::uint64_t number = reply.u64();
    reply.u8();
    return reply.ok() ? number : 0;  // no call has that
  }

  static Result<Frame> outcome_of(Frame frame) {
    ByteReader reply(frame.bytes);
    reply.u64();
    const std::uint8_t outcome = reply.u8();
    if (outcome == 0) {
      frame.bytes.erase(0, reply_header_bytes);
      return frame;
    }
    const auto kind = outcome - 1 <= static_cast<int>(ErrorKind::bug) ? static_cast<ErrorKind>(outcome - 1) : ErrorKind::bug;
    return Error{kind, std::string(reply.rest())};
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

Client::Client(std::string peer_name, OwnedFd socket, Replies replies) : peer_name_(std::move(peer_name)), replies_(replies) {
  connect(std::move(socket));
}
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
  if (replies_ == Replies::by_caller) return call_alone(*connection, method, body, fds, deadline);
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
  const Status sent = connection->channel.send(request_of(number, method, body), fds, deadline);

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

Result<Frame> Client::call_alone(Connection& connection, std::uint16_t method, std::string_view body, std::span<const int> fds,
                                 const Deadline& deadline) {
  const std::uint64_t number = connection.next_number++;
  if (const Status sent = connection.channel.send(request_of(number, method, body), fds, deadline); !sent)
    return sent.error().while_doing(peer_name_);
  Result<Frame> reply = connection.wait_for_reply(number, deadline);
  if (!reply) return reply.error().while_doing(peer_name_);
  return reply;
}

CallBytes calls_to(std::shared_ptr<Client> peer) {
  return [peer = std::move(peer)](std::uint16_t method, std::string_view body, const Deadline& deadline) -> Result<std::string> {
    ASSIGN_OR_RETURN(Frame reply, peer->call(method, body, deadline));
    return std::move(reply.bytes);
  };
}

}  // namespace mailhold::ipc
