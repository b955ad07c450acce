// Recipe: how a message is put together again from inline text and body parts. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "core/store/base64_lines.h"

namespace mailhold::store {

struct Piece {
  enum class Kind : std::uint8_t { inline_text = 0, part = 1, base64_part = 2 };
  Kind kind = Kind::inline_text;
  std::uint32_t length = 0;  // of the inline text, or of the part's bytes
  Id part;
  Base64Lines lines;
  friend bool operator==(const Piece&, const Piece&) = default;
};

struct Recipe {
  std::uint64_t message_bytes = 0;  // what the pieces add up to
  std::string sha256;
  std::vector<Piece> pieces;
  std::string inline_text;
};

inline constexpr std::size_t pieces_max = 65'536;

std::string encode(const Recipe& recipe);
// corrupt unless well-formed, and the pieces add up to all of the inline text.
Result<Recipe> parse_recipe(std::string_view bytes);

// The message, its SHA-256 compared. corrupt if it is not what the recipe says; limit_exceeded above bytes_max; errors of load.
using LoadPart = std::function<Result<std::string>(Id part)>;
Result<std::string> assemble(const Recipe& recipe, std::uint64_t bytes_max, const LoadPart& load);

}  // namespace mailhold::store
