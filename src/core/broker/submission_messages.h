// What gatewayd out and authd say to each other over the channel that brokerd hands out for one
// delivery session: a message as structure, never as SMTP. authd is the one that speaks SMTP, so nothing the
// sender of a message wrote can become a command.
//
//   authd -> gateway   opened | refused            once, after TLS and AUTH
//   gateway -> authd   submit, then body chunks until `size` bytes are sent    for each message, one at a time
//   authd -> gateway   outcome                     one for each submit
//   gateway -> authd   close                       authd says QUIT and ends
//
// Each is one frame of ipc::Channel: u8 kind, then the fields. A frame out of turn ends the session.
// Limits: 1,000 recipients, 1 MiB for a chunk, 2 KiB for a reply's text.
//
// Bytes: docs/formats/submission.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "formats/smtp/smtp_client_dialogue.h"

namespace mailhold::broker {

inline constexpr std::size_t submission_chunk_bytes_max = 1U << 20;
inline constexpr std::size_t submission_bytes_max = 160U << 20;

struct SubmissionOpened {};  // kind 1: messages may be submitted
struct SubmissionRefused {
  Error error;
};  // kind 2: no session; the channel closes
struct Submit {
  smtp::ClientEnvelope envelope;
  std::uint64_t size = 0;
};  // kind 3: `size` bytes of body follow in chunks
struct SubmissionChunk {
  std::string bytes;
};  // kind 4
struct SubmissionResult {
  smtp::SubmissionOutcome outcome;
  bool session_goes_on = false;
};  // kind 5
struct SubmissionClose {};  // kind 6

using SubmissionFrame =
    std::variant<SubmissionOpened, SubmissionRefused, Submit, SubmissionChunk, SubmissionResult, SubmissionClose>;

std::string encode(const SubmissionFrame& frame);
std::string encode_chunk(std::string_view bytes);                        // the same as a SubmissionChunk, without a copy before
Result<SubmissionFrame> parse_submission_frame(std::string_view bytes);  // corrupt for anything else

}  // namespace mailhold::broker
