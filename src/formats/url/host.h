// Host names between their ASCII form (punycode) and the form people read, and IP literals.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/url/url.h"

namespace mailhold::url {

// Loads the Unicode tables now, not at the first international name: for programs that close the door to files.
void load_unicode_tables();

struct Host {
  std::string ascii;  // as in Url::host
  HostKind kind = HostKind::domain;
};

// The WHATWG host parser for special schemes: percent-decoding, UTS 46, IPv4 and IPv6. invalid_input if a
// browser refuses the host.
Result<Host> parse_host(std::string_view text);

// "xn--bcher-kva.example" -> "bücher.example". Labels that are not valid punycode stay as they are.
std::string to_unicode(std::string_view ascii_host);

// Whether the host is the domain or below it, letters compared without case: "a.example.com" of "example.com".
bool is_within(std::string_view host, std::string_view domain);

}  // namespace mailhold::url
