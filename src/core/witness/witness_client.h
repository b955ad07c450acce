// Asking a witness: one add-checkpoint request over HTTP or HTTPS, and what its answer means.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "core/witness/witness_url.h"
#include "formats/tlog/note.h"

namespace mailhold::witness {

inline constexpr std::size_t witness_answer_bytes_max = 64 * 1024;

struct WitnessReply {
  enum class Kind : std::uint8_t {
    cosigned,  // signatures
    conflict,  // it cosigned `size` last
    refused,   // the proof does not hold, it does not know the log, or the like: status
  };
  Kind kind = Kind::refused;
  int status = 0;
  std::uint64_t size = 0;
  std::vector<tlog::NoteSignature> signatures;
};
// A whole HTTP answer, as read until the connection was closed. corrupt: not one that the specification allows.
Result<WitnessReply> parse_reply(std::string_view answer);

// Numeric addresses of a host name, in the order to try.
using ResolveHost = std::function<std::vector<std::string>(const std::string& host, const Deadline& deadline)>;

// unavailable, timed_out, cancelled: it could not be asked. denied: its certificate. corrupt: it answered nonsense.
Result<WitnessReply> ask(const WitnessUrl& url, std::string_view body, const std::string& ca, const ResolveHost& resolve,
                         const Deadline& deadline);

}  // namespace mailhold::witness
