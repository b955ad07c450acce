#include <cstdint>

#include "formats/dsn/dsn.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"\x20\1ann@a.example 451 4.4.1 no answer\r\nMessage-ID: <1@a.example>\r\nAuto-Submitted: no\r\n folded\r\n\r\nbody"};
}

std::vector<std::string> fuzz_words() { return {"\r\n", "\r\n\r\n", "Auto-Submitted:", "Message-ID:", " ", "@", "."}; }

// Whatever a server replied and a sender wrote: the notice has its three parts and lines that fit.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::dsn;
  if (size < 4) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = data[0] * size / 256;
  static_cast<void>(must_not_notify(bytes.substr(0, cut), bytes.substr(cut)));
  const std::string piece(bytes.substr(0, cut));
  Notice notice{.action = data[1] & 1 ? Action::failed : Action::delayed,
                .reporting_mta = "us.example",
                .message_id = "1@us.example",
                .original_sender = piece,
                .queue_id = "id",
                .envelope_id = piece,
                .arrived_at = 0,
                .written_at = 0,
                .will_retry_until = 0,
                .recipients = {{piece, piece, piece, piece, 0}},
                .original = bytes.substr(cut)};
  const std::string text = write_notice(notice);
  const std::size_t end_of_header = text.find("\r\n\r\n");
  if (end_of_header == std::string::npos || text.find("multipart/report") > end_of_header) __builtin_trap();
  return 0;
}
