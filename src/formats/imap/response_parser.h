// Reads one whole response: its lines without the marks of literals, and the literals between them. Internal to this room.
#pragma once

#include "formats/imap/imap_response.h"

namespace mailhold::imap {

struct ParserLimits {
  std::size_t values_max = 0;
  std::size_t depth_max = 0;
  std::uint64_t content_bytes_dropped = 0;  // the content of this response was too long and its literal is empty
};

// `pieces` has one element more than `literals`, which are moved from. limit_exceeded only; nonsense is Kind::other.
Result<Response> parse_response(const std::vector<std::string>& pieces, std::vector<std::string>& literals,
                                const ParserLimits& limits);

}  // namespace mailhold::imap
