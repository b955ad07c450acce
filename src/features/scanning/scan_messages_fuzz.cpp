#include <cstdlib>

#include "features/scanning/scan_messages.h"

using namespace mailhold;

// The gateway's reading of what a worker says, and the worker's reading of requests.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t message_size = 1000;
  const std::string message(message_size, 'm');
  if (const auto result = scanning::parse_result(frame, message_size, {})) {
    const auto applied = scanning::apply_splices(message, result->splices);
    if (!applied) std::abort();
    for (const scanning::BodySpan& span : result->layout) {
      if (span.offset + span.length > applied->size()) std::abort();
    }
    if (scanning::encode_result(*result) != frame) std::abort();
  }
  (void)scanning::parse_scan(frame);
  (void)scanning::parse_questions(frame);
  (void)scanning::parse_answers(frame);
  (void)scanning::parse_urls(frame);
  return 0;
}
