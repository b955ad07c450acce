// Canonical forms of header fields and bodies, RFC 6376 section 3.4, hashed without copying the body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dkim/dkim.h"

namespace mailhold::dkim {

struct BodyHash {
  std::string sha256{};
  std::uint64_t canonical_bytes = 0;  // of the whole body, also beyond the limit
};

// Hashes the first `bytes_max` bytes of the canonical form; all without it.
BodyHash hash_body(std::string_view body, Canonical form, std::optional<std::uint64_t> bytes_max);

// Appends the canonical form of one field, with its final CRLF.
void append_field(std::string_view whole_field, Canonical form, std::string& canonical);

// What is signed: the fields of h= from the bottom (section 5.4.2), then the signature field itself without
// what is in `raw_b`, a view into it, and without its final CRLF.
std::string signed_header(const MessageView& message, const std::vector<std::string>& field_names, Canonical form,
                          std::string_view signature_field, std::string_view raw_b);

}  // namespace mailhold::dkim
