// Bytes of a peer that may be taken over, on the channel itself: frames, calls and what the supervisor says first.
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "fuzz_seeds.h"
#include "platform/ipc/daemon.h"

using namespace mailhold;

namespace {

std::string framed(std::string_view bytes) {
  return ByteWriter().u32(static_cast<std::uint32_t>(bytes.size())).u8(0).raw(bytes).take();
}

// Whether the bytes say a length that is within the limit and large: an honest allocation that only costs time here.
bool has_large_frame(std::string_view bytes) {
  while (bytes.size() >= 5) {
    const std::size_t length = ByteReader(bytes).u32();
    if (length > (1U << 20) && length <= ipc::Channel::frame_bytes_max) return true;
    bytes.remove_prefix(std::min(bytes.size(), 5 + length));
  }
  return false;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const std::string call = ByteWriter().u64(7).u16(3).raw("body").take();
  const ipc::StartMessage start{{{"gateway.smtp", "127.0.0.1:25"}}, {{"spool", "/spool"}}, {"smtp", "links"}};
  return {framed(call) + framed(call), framed("") + framed(call), start.encode()};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto start = ipc::StartMessage::parse(bytes)) {
    const auto again = ipc::StartMessage::parse(start->encode());
    if (!again || again->settings != start->settings || again->listeners != start->listeners) std::abort();
  }
  if (has_large_frame(bytes)) return 0;
  auto ends = ipc::Channel::socket_pair();
  if (!ends) std::abort();
  // More than the kernel takes at once would have to be written beside the reading; frames that long are not what is looked for.
  const auto sent = ::send(ends->first.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(ends->first.get(), SHUT_WR);
  const auto written = static_cast<std::size_t>(sent < 0 ? 0 : sent);
  std::size_t taken = 0;
  ipc::serve_channel(std::make_shared<ipc::Channel>(std::move(ends->second)), "peer",
                     [&](const std::shared_ptr<ipc::Call>& call) {
                       taken += 5 + 10 + call->body().size();
                       if (taken > written) std::abort();  // nothing is read that was not sent
                       call->reply(call->body().substr(0, 16));
                     },
                     {});
  return 0;
}
