#include "platform/ipc/server.h"

#include "base/bytes.h"
#include "base/log.h"

namespace mailhold::ipc {

Call::Call(std::shared_ptr<Channel> channel, std::string peer_role, Frame frame)
    : peer(std::move(peer_role)), channel_(std::move(channel)), frame_(std::move(frame)) {
  ByteReader reader(frame_.bytes);
  number_ = reader.u64();
  method_ = reader.u16();
  body_ = reader.rest();
}

Call::~Call() {
  if (!answered_) fail(Error{ErrorKind::bug, "the service gave no answer"});
}

void Call::reply(std::string_view bytes, std::span<const int> fds) { send(0, bytes, fds); }
void Call::fail(const Error& error) { send(static_cast<std::uint8_t>(1 + static_cast<int>(error.kind)), error.detail, {}); }

void Call::send(std::uint8_t outcome, std::string_view bytes, std::span<const int> fds) {
  if (answered_) return;
  answered_ = true;
  const ByteWriter head = ByteWriter().u64(number_).u8(outcome);
  // A caller that does not take its reply for this long holds up nobody else: its channel is closed.
  (void)channel_->send(head.view(), bytes, fds, Deadline::after(std::chrono::seconds(20)));
}

void serve_channel(const std::shared_ptr<Channel>& channel, const std::string& peer_role,
                   const std::function<void(std::shared_ptr<Call>)>& take, const std::stop_token& stop) {
  const Deadline forever{std::chrono::steady_clock::now() + std::chrono::hours(24 * 365), stop};
  for (;;) {
    Result<Frame> frame = channel->receive(forever);
    if (!frame) return;
    if (frame->bytes.size() < 10) {
      log_warning("ipc", "a malformed call from " + peer_role);
      channel->close();
      return;
    }
    take(std::make_shared<Call>(channel, peer_role, std::move(*frame)));
  }
}

}  // namespace mailhold::ipc
