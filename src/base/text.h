// Small text forms that every room needs: hex, base64, ASCII case, trimming, splitting.
// Nothing here depends on a locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold {

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view hex);  // either case; nothing if it is not hex

std::string to_base64(std::string_view bytes);  // RFC 4648 section 4, padded, one line
// Canonical input only: alphabet, padding and zero trailing bits must be exact; nothing otherwise.
std::optional<std::string> from_base64(std::string_view text);

std::string to_base64url(std::string_view bytes);                  // RFC 4648 section 5, no padding
std::optional<std::string> from_base64url(std::string_view text);  // canonical and unpadded only

char to_lower(char letter);                   // ASCII only
std::string to_lower(std::string_view text);  // ASCII only
bool equals_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
std::string_view trim(std::string_view text);                                // spaces, tabs, CR, LF at both ends
std::vector<std::string_view> split(std::string_view text, char separator);  // keeps empty pieces
std::optional<std::uint64_t> to_number(std::string_view digits);             // decimal digits only, no sign, no overflow

}  // namespace mailhold
