// Url: an http or https URL read as leniently as a browser reads it (WHATWG URL Standard):
// userinfo, backslashes for slashes, percent-encoded and international host names, IPv4
// in odd forms, IPv6, ports. Other schemes are not this room's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::url {

enum class HostKind { domain, ipv4, ipv6 };

struct Url {
  std::string scheme;    // "http" or "https"
  std::string username;  // percent-encoded
  std::string password;  // percent-encoded
  std::string host;      // ASCII, lower case: "xn--bcher-kva.example", "127.0.0.1", "[2001:db8::1]"
  HostKind host_kind = HostKind::domain;
  std::optional<std::uint16_t> port;    // only when it is not the scheme's default
  std::string path;                     // begins with '/'; dot segments removed
  std::optional<std::string> query;     // without '?'
  std::optional<std::string> fragment;  // without '#'

  bool has_userinfo() const { return !username.empty() || !password.empty(); }
  std::string href() const;  // ASCII without spaces or control characters: fit for a Location header
};

inline constexpr std::size_t url_bytes_max = 1024 * 1024;

// Surrounding spaces and inner tabs and line ends are dropped as browsers do. "//host" is read as https.
// Bytes that are not UTF-8 are read as Latin-1. unsupported: another scheme or none; invalid_input: no browser
// would go there (empty or forbidden host, bad port); limit_exceeded above url_bytes_max.
Result<Url> parse(std::string_view text);

}  // namespace mailhold::url
