// Where a server's line announces a literal. One rule for all who cut responses into pieces: where two of them differed, a server
// could show each another response.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mailhold::imap {

// The size of the literal that a line without its CRLF announces at its end: {12}, {12+} or ~{12} (RFC 9051 section 4.3,
// RFC 3516).
std::optional<std::uint64_t> announced_literal(std::string_view line);

// OK, NO, BAD, BYE or PREAUTH (RFC 9051 section 7.1). The text of such a response is free and may look like a literal.
bool is_condition(std::string_view word);

}  // namespace mailhold::imap
