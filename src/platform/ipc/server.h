// Server side of the calls between our processes. A handler gets each call and answers it
// once, at once or later, from any thread; a call that is dropped unanswered fails as a bug
// at the caller. The peer's role was fixed by the supervisor and cannot be chosen by the peer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/ipc/channel.h"

namespace mailhold::ipc {

class Call {
 public:
  Call(std::shared_ptr<Channel> channel, std::string peer_role, Frame frame);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const std::string peer;  // role name: "gatewayd-in"
  std::uint16_t method() const { return method_; }
  std::string_view body() const { return body_; }
  std::vector<OwnedFd>& fds() { return frame_.fds; }

  // The first of these counts. A reply that cannot be delivered is the caller's loss: it sees us as away.
  void reply(std::string_view bytes = {}, std::span<const int> fds = {});
  void fail(const Error& error);
  void answer(const Status& status) { status ? reply() : fail(status.error()); }
  void answer(const Result<std::string>& result) { result ? reply(*result) : fail(result.error()); }

 private:
  void send(std::uint8_t outcome, std::string_view bytes, std::span<const int> fds);
  std::shared_ptr<Channel> channel_;
  Frame frame_;
  std::uint64_t number_ = 0;
  std::uint16_t method_ = 0;
  std::string_view body_;
  bool answered_ = false;
};

// Called by several threads at once. Shared, so that a handler may keep it and answer later.
using Handler = std::function<void(const std::shared_ptr<Call>&)>;

// Reads calls from the channel until it closes or the deadline's stop is asked for.
void serve_channel(const std::shared_ptr<Channel>& channel, const std::string& peer_role,
                   const std::function<void(std::shared_ptr<Call>)>& take, const std::stop_token& stop);

}  // namespace mailhold::ipc
