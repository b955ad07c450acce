// Authentication-Results: write ours and read foreign ones, RFC 8601.
// Values of ours come from hostile mail: whatever is not a plain token is quoted, what cannot be quoted is replaced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::authres {

struct Property {
  std::string type{};  // "smtp", "header", "policy", "body"
  std::string name{};  // "mailfrom", "d", "from"
  std::string value{};
};

struct MethodResult {
  std::string method{};  // "spf", "dkim", "dmarc"
  std::string result{};  // "pass"
  std::string reason{};  // empty: none
  std::vector<Property> properties{};
};

struct Header {
  std::string authserv_id{};
  std::vector<MethodResult> results{};  // empty: "none"
};

// The whole field, folded, ending in CRLF. No line over 998 bytes, none over 78 where a fold is possible.
// Values are cut at 320 bytes; control and 8-bit bytes become "?".
std::string write(const Header& header);
std::string write_value(const Header& header);  // without "Authentication-Results: " and the final CRLF

// The value of an Authentication-Results field, folding, comments and quoted strings allowed. invalid_input if it breaks the
// grammar. At most 64 KiB and 100 results.
Result<Header> parse(std::string_view value);

// Whether a foreign field pretends to be ours: lenient where parse() is strict, so that a malformed
// one is still found. Such fields must be removed before ours is added (RFC 8601 section 5).
bool claims(std::string_view value, std::string_view authserv_id);

}  // namespace mailhold::authres
