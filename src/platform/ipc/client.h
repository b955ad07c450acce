// Client: calls into another of our processes. Any number of threads may call at once;
// calls are answered in any order. When the peer is restarted the supervisor hands over a
// new channel (daemon.h): calls under way fail as unavailable, later ones go to the new one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "platform/ipc/channel.h"

namespace mailhold::ipc {

// Who takes the replies off the channel: a thread of the client's, or whoever has called, which is for clients that are called
// by one thread at a time.
enum class Replies { by_thread, by_caller };

class Client {
 public:
  explicit Client(std::string peer_name, Replies replies = Replies::by_thread)
      : peer_name_(std::move(peer_name)), replies_(replies) {}
  Client(std::string peer_name, OwnedFd socket, Replies replies = Replies::by_thread);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // From now on calls go over this socket.
  void connect(OwnedFd socket);

  // The reply, or the error the service answered with. unavailable: no peer, or it went away
  // before it replied, so that the call may or may not have been carried out.
  Result<Frame> call(std::uint16_t method, std::string_view body, std::span<const int> fds, const Deadline&);
  Result<Frame> call(std::uint16_t method, std::string_view body, const Deadline& deadline) {
    return call(method, body, {}, deadline);
  }

 private:
  struct Connection;
  std::shared_ptr<Connection> current() const;
  Result<Frame> call_alone(Connection& connection, std::uint16_t method, std::string_view body, std::span<const int> fds,
                           const Deadline& deadline);

  const std::string peer_name_;
  const Replies replies_ = Replies::by_thread;
  mutable std::mutex mutex_;
  std::shared_ptr<Connection> connection_;  // guarded by mutex_
};

// The same as a function of bytes, which the clients of our rooms take: keys::KeyClient keys(calls_to(keyd)).
using CallBytes = std::function<Result<std::string>(std::uint16_t method, std::string_view body, const Deadline& deadline)>;
CallBytes calls_to(std::shared_ptr<Client> peer);

}  // namespace mailhold::ipc
