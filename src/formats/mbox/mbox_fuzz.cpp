#include <cstdint>

#include "formats/mbox/mbox.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "From a Sat Nov 21 18:00:00 2026\nStatus: RO\nX-Status: AFTD\n\n>From b\n\nFrom c Sat Nov 21 18:00:01 2026\r\nA: b\r\n\r\n",
      mbox::mbox_entry("A: b\r\n\r\nFrom here\r\n>>From there\r\n", 1'795'000'001'000),
      "From  x  Jan 31 23:59:60 9999\n\n\n\nFrom \n"};
}

std::vector<std::string> fuzz_words() {
  return {"From ", ">From ", "\n\n", "\r\n\r\n", "Status: R\n", " Nov 21 18:00:00 2026\n"};
}

// Any file: the same messages however it was cut into pieces; each of them written and read again is itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  mbox::MboxReader whole(4096), pieces(4096);
  const bool whole_went_well = whole.receive(all) && whole.end();
  bool pieces_went_well = true;
  for (std::string_view rest = all; !rest.empty() && pieces_went_well;) {
    const std::size_t chunk = std::min<std::size_t>(rest.size(), 1 + static_cast<unsigned char>(rest[0]) % 13);
    pieces_went_well = static_cast<bool>(pieces.receive(rest.substr(0, chunk)));
    rest.remove_prefix(chunk);
  }
  pieces_went_well = pieces_went_well && pieces.end();
  if (whole_went_well != pieces_went_well) __builtin_trap();
  for (;;) {
    const auto one = whole.next();
    const auto other = pieces.next();
    if (one.has_value() != other.has_value()) __builtin_trap();
    if (!one) return 0;
    if (one->content != other->content || one->flags != other->flags || one->received_at != other->received_at) __builtin_trap();
    const std::string sent = mbox::with_crlf(one->content);
    if (!sent.ends_with("\r\n") || sent.find('\r') == std::string::npos) continue;
    mbox::MboxReader again(16384);
    if (!again.receive(mbox::mbox_entry(sent, one->received_at)) || !again.end()) __builtin_trap();
    const auto same = again.next();
    if (!same || again.next()) __builtin_trap();
    // Line ends alone may differ, of messages that mix them.
    std::string a = mbox::with_crlf(same->content), b = sent;
    std::erase(a, '\r');
    std::erase(b, '\r');
    if (a != b) __builtin_trap();
  }
}
