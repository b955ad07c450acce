// The relay: a signed-in session between a worker and a server, both hostile, with a filter between them. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "core/broker/session_meter.h"
#include "platform/ipc/channel.h"
#include "platform/net/stream.h"

namespace mailhold::broker {

// What one protocol knows of a session. Bytes go in on one side and come out for either; nothing else passes.
class SessionFilter {
 public:
  virtual ~SessionFilter() = default;
  // Errors end the session.
  virtual Status from_worker(std::string_view bytes) = 0;
  virtual bool wants_worker() const { return true; }  // false: the worker's bytes must wait
  // Whether the session goes on: false when the meter has no more.
  virtual Result<bool> from_server(std::string_view bytes, SessionMeter& meter) = 0;
  virtual std::string take_for_server() = 0;
  // In the place of what `bytes` held, whose room is used again: this is where all the mail passes.
  virtual void take_for_worker(std::string& bytes) = 0;
  virtual std::uint64_t refused() const = 0;
};

struct RelayTimes {
  std::chrono::milliseconds idle{std::chrono::minutes(30)};   // nothing from either side: RFC 3501 section 5.4
  std::chrono::milliseconds write{std::chrono::seconds(60)};  // one side takes nothing
};

// Returns why it ended: "closed by the worker", "closed by the server", "cap reached", or what broke.
std::string relay(ipc::OwnedFd worker, net::Stream& server, int server_socket, SessionFilter& filter, SessionMeter& meter,
                  const RelayTimes& times, const Deadline& deadline);

}  // namespace mailhold::broker
