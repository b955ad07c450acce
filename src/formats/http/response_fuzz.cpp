#include <cstdint>
#include <cstdlib>

#include "formats/http/response_reader.h"

// However an answer arrives, it is the same answer; and its body never holds more than was received.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::http;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % (bytes.size() + 1);
  ResponseReader whole, parts;
  whole.expect("GET");
  parts.expect("GET");
  const bool sound = static_cast<bool>(whole.receive(bytes));
  bool parts_sound = static_cast<bool>(parts.receive(bytes.substr(0, cut)));
  if (parts_sound) parts_sound = static_cast<bool>(parts.receive(bytes.substr(cut)));
  if (sound != parts_sound) std::abort();
  const std::string body = whole.take_body();
  if (body.size() > bytes.size()) std::abort();
  if (sound &&
      (whole.is_complete() != parts.is_complete() || whole.head().status != parts.head().status || body != parts.take_body()))
    std::abort();
  return 0;
}
