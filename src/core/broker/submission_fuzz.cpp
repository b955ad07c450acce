#include <cstdint>

#include "core/broker/submission_messages.h"

// A frame is refused, or it is exactly what its value encodes to.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto frame = mailhold::broker::parse_submission_frame(bytes)) {
    if (mailhold::broker::encode(*frame) != bytes) __builtin_trap();
  }
  return 0;
}
