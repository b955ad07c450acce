// IP literals as hosts, in every form that browsers take (URL Standard, section 3.5). Internal to formats/url.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::url {

// Whether a browser takes the host for an IPv4 address or for nothing: its last label is a number.
bool ends_in_number(std::string_view host);

Result<std::string> parse_ipv4(std::string_view host);    // "0x7f.1" -> "127.0.0.1"
Result<std::string> parse_ipv6(std::string_view inside);  // without the brackets; gives them: "[::1]"

}  // namespace mailhold::url
