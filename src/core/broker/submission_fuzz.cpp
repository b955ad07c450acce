#include <cstdint>

#include "core/broker/submission_messages.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold;
  broker::SubmissionResult result{.outcome = {}, .session_goes_on = true};
  for (const smtp::RecipientResult each : {smtp::RecipientResult::delivered, smtp::RecipientResult::failed})
    result.outcome.recipients.push_back({each, smtp::reply(250, "2.1.5", "ok")});
  return {encode(broker::SubmissionOpened{}),
          encode(broker::SubmissionRefused{{ErrorKind::unavailable, "away"}}),
          encode(broker::Submit{{"ann@a.example", {"bob@b.example", "cid@b.example"}, "id"}, 1000}),
          broker::encode_chunk("bytes"),
          encode(result),
          encode(broker::SubmissionClose{})};
}

// A frame is refused, or it is exactly what its value encodes to.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto frame = mailhold::broker::parse_submission_frame(bytes)) {
    if (mailhold::broker::encode(*frame) != bytes) __builtin_trap();
  }
  return 0;
}
