// Addresses of a From, To or Cc field for showing and tracing (RFC 5322 section 3.4, read leniently).
// Whether a From field is trustworthy is not decided here: formats/dmarc does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mailhold::mail {

// The addr-specs in the order they stand, without names, comments and groups; UTF-8, no control characters, each at
// most 320 bytes. At most `addresses_max`.
std::vector<std::string> addresses_of(std::string_view field_value, std::size_t addresses_max = 16);

}  // namespace mailhold::mail
