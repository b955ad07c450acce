// Base64 bodies (RFC 4648 section 4) in lines of one length, decoded where encoding gives exactly the body back.
// Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailhold::store {

enum class LineEnding : std::uint8_t { lf = 1, crlf = 2 };

// How a base64 body is laid out.
struct Base64Lines {
  std::uint16_t line_length = 76;  // characters, without the ending
  LineEnding ending = LineEnding::crlf;
  friend bool operator==(const Base64Lines&, const Base64Lines&) = default;
};

inline constexpr std::size_t base64_line_length_max = 1000;

// How many characters so many bytes become.
std::uint64_t base64_lines_size(std::uint64_t bytes, const Base64Lines& lines);
void append_base64_lines(std::string& out, std::string_view bytes, const Base64Lines& lines);

// A base64 body that encoding gives back exactly, without line endings at its end.
struct DecodedBody {
  std::string bytes;
  Base64Lines lines;
};
// False if encoding would not give exactly `body`; then `decoded` means nothing.
bool decode_base64_lines(std::string_view body, DecodedBody& decoded);

}  // namespace mailhold::store
