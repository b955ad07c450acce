// Paths as DAV servers spell them in href (RFC 4918 section 8.3): full URLs or paths, each percent-encoded in its own way. Here
// they have one spelling, so that they can be compared: decoded, and everything encoded again but letters, digits and "-._~@".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailhold::dav {

inline constexpr std::size_t path_bytes_max = 4096;

// "https://host/a%20b/" or "/a b/" -> "/a%20b/". The host is left out: a session reaches one server, and asks it for everything.
// Nothing where it is no such path, is too long, or has "." or ".." in it.
std::optional<std::string> path_of_href(std::string_view href);

// "/cal/a.ics" -> "a.ics", "/cal/" -> "cal"; empty for "/". Encoded as it stands.
std::string_view name_in_path(std::string_view path);

std::string decoded(std::string_view encoded);       // for people: UTF-8, what is none replaced
std::string encoded_segment(std::string_view text);  // one segment of a path

}  // namespace mailhold::dav
