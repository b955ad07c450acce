// Parking: sockets that wait for something to happen without costing a thread (epoll). Each event
// wakes one waiting thread once (EPOLLONESHOT); nothing more is told of that socket until
// it is armed again. The only place that calls epoll.
//
// All functions may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "platform/net/wait.h"

namespace mailhold::net {

class Parking {
 public:
  static Result<Parking> open();
  Parking(Parking&& other) noexcept;
  Parking& operator=(Parking&&) = delete;
  ~Parking();

  // `tag` comes back with the event. A socket leaves by being closed.
  Status add(int socket, std::uint64_t tag, Ready ready);
  Status arm(int socket, std::uint64_t tag, Ready ready);

  // The tag of a socket that is ready, broken or closed by its peer; nothing when the time is over or after stop().
  std::optional<std::uint64_t> wait(std::chrono::milliseconds limit);
  // Wakes every thread in wait(), now and ever after.
  void stop();

 private:
  Parking(int epoll, int bell) : epoll_(epoll), bell_(bell) {}
  int epoll_ = -1;
  int bell_ = -1;  // readable for ever after stop()
};

}  // namespace mailhold::net
