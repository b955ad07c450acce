// Recipe: how a message is put together again from inline text and body parts. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

namespace mailhold::store {

enum class LineEnding : std::uint8_t { lf = 1, crlf = 2 };

// How a base64 body was laid out.
struct Base64Lines {
  std::uint16_t line_length = 76;  // characters, without the ending
  LineEnding ending = LineEnding::crlf;
  friend bool operator==(const Base64Lines&, const Base64Lines&) = default;
};

struct Piece {
  enum class Kind : std::uint8_t { inline_text = 0, part = 1, base64_part = 2 };
  Kind kind = Kind::inline_text;
  std::uint32_t length = 0;  // of the inline text, or of the part's bytes
  Id part;
  Base64Lines lines;
  friend bool operator==(const Piece&, const Piece&) = default;
};

struct Recipe {
  Milliseconds kept_since = 0;
  std::uint64_t message_bytes = 0;
  std::string sha256;
  std::vector<Piece> pieces;
  std::string inline_text;
};

inline constexpr std::size_t pieces_max = 65'536;

std::string encode(const Recipe& recipe);
// corrupt unless well-formed, and the pieces add up to message_bytes and to all of the inline text.
Result<Recipe> parse_recipe(std::string_view bytes);

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
