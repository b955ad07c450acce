// The fields a gateway puts above a message, and the one thing it looks for in a foreign header
// without parsing it: how often the message has been received before.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "features/scanning/scan.h"

namespace mailhold::gateway {

struct Arrival {
  std::string_view host_name;  // ours
  std::string_view helo;
  std::string_view client_ip;
  bool extended = false;  // EHLO
  std::string_view tls;   // empty without TLS
  Id message;
  std::string_view only_recipient;  // empty when there are several: no recipient learns of another
  Milliseconds at = 0;
};

// "Received: ..." with its CRLF (RFC 5321 section 4.4), folded; what the client said is made harmless.
std::string received_field(const Arrival& arrival);

// Received fields in the header block: loops show themselves by many (RFC 5321 section 6.3).
std::uint32_t count_received(std::string_view content);

// prefix, then the content with its splices applied. corrupt if they are unsorted, overlap or leave the content.
Result<std::string> assemble(std::string_view prefix, std::string_view content, std::span<const scanning::Splice> splices);

// No NUL, no CR or LF but in pairs.
bool has_only_crlf(std::string_view text);
// A field's value that ends nowhere but at its end: each CRLF is followed by white space, and there is no other control
// character.
bool is_folded(std::string_view value);

}  // namespace mailhold::gateway
