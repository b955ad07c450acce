#include "core/store/recipe.h"

#include <limits>

#include "base/bytes.h"
#include "base/short_number.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

// 1 had numbers of fixed length, the moment since which the message was kept, which nobody asked for, and its length.
constexpr std::uint8_t format_version = 2, format_version_long = 1;
constexpr std::size_t piece_bytes_min = 2;

void write_piece(ByteWriter& writer, const Piece& piece) {
  writer.u8(static_cast<std::uint8_t>(piece.kind));
  if (piece.kind != Piece::Kind::inline_text) writer.raw(piece.part.bytes());
  write_short_number(writer, piece.length);
  if (piece.kind == Piece::Kind::base64_part)
    writer.u16(piece.lines.line_length).u8(static_cast<std::uint8_t>(piece.lines.ending));
}

// False if there is no such piece.
bool read_piece(ByteReader& reader, std::uint8_t version, Piece& piece) {
  const std::uint8_t kind = reader.u8();
  if (kind > static_cast<std::uint8_t>(Piece::Kind::base64_part)) return false;
  piece.kind = static_cast<Piece::Kind>(kind);
  if (piece.kind != Piece::Kind::inline_text) piece.part = Id::from_bytes(reader.raw(Id::size));
  const std::uint64_t length = version == format_version_long ? reader.u32() : read_short_number(reader);
  if (length > std::numeric_limits<std::uint32_t>::max()) return false;
  piece.length = static_cast<std::uint32_t>(length);
  if (piece.kind != Piece::Kind::base64_part) return reader.ok();
  piece.lines.line_length = reader.u16();
  const std::uint8_t ending = reader.u8();
  if (ending != static_cast<std::uint8_t>(LineEnding::lf) && ending != static_cast<std::uint8_t>(LineEnding::crlf)) return false;
  piece.lines.ending = static_cast<LineEnding>(ending);
  const bool length_is_possible =
      piece.lines.line_length > 0 && piece.lines.line_length % 4 == 0 && piece.lines.line_length <= base64_line_length_max;
  return reader.ok() && length_is_possible;
}

std::uint64_t size_in_message(const Piece& piece) {
  return piece.kind == Piece::Kind::base64_part ? base64_lines_size(piece.length, piece.lines) : piece.length;
}

}  // namespace

std::string encode(const Recipe& recipe) {
  ByteWriter writer;
  writer.u8(format_version).raw(recipe.sha256);
  write_short_number(writer, recipe.pieces.size());
  for (const Piece& piece : recipe.pieces) write_piece(writer, piece);
  writer.raw(recipe.inline_text);
  return writer.take();
}

Result<Recipe> parse_recipe(std::string_view bytes) {
  const Error wrong{ErrorKind::corrupt, "a recipe that makes no sense"};
  ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (version != format_version && version != format_version_long)
    return Error{ErrorKind::unsupported, "a recipe of a format that is not known here"};
  const bool is_long = version == format_version_long;
  Recipe recipe;
  if (is_long) reader.u64();  // since when it was kept
  const std::uint64_t message_bytes = is_long ? reader.u64() : 0;
  recipe.sha256 = std::string(reader.raw(crypto::sha256_size));
  const std::uint64_t count = is_long ? reader.u32() : read_short_number(reader);
  if (!reader.ok() || count > pieces_max || count > reader.rest().size() / piece_bytes_min) return wrong;
  std::uint64_t inline_bytes = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    Piece piece;
    if (!read_piece(reader, version, piece)) return wrong;
    if (piece.kind == Piece::Kind::inline_text) inline_bytes += piece.length;
    recipe.message_bytes += size_in_message(piece);
    recipe.pieces.push_back(piece);
  }
  recipe.inline_text = std::string(reader.rest());
  if (!reader.ok() || inline_bytes != recipe.inline_text.size()) return wrong;
  if (is_long && message_bytes != recipe.message_bytes) return wrong;
  return recipe;
}

Result<std::string> assemble(const Recipe& recipe, std::uint64_t bytes_max, const LoadPart& load) {
  if (recipe.message_bytes > bytes_max) return Error{ErrorKind::limit_exceeded, "a kept message is too large"};
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(recipe.message_bytes));
  std::size_t inline_at = 0;
  for (const Piece& piece : recipe.pieces) {
    if (piece.kind == Piece::Kind::inline_text) {
      bytes.append(recipe.inline_text, inline_at, piece.length);
      inline_at += piece.length;
      continue;
    }
    ASSIGN_OR_RETURN(const std::string part, load(piece.part));
    if (part.size() != piece.length) return Error{ErrorKind::corrupt, "a part of it has another length"};
    if (piece.kind == Piece::Kind::part)
      bytes += part;
    else
      append_base64_lines(bytes, part, piece.lines);
  }
  if (crypto::sha256(bytes) != recipe.sha256) return Error{ErrorKind::corrupt, "it is not what was kept"};
  return bytes;
}

}  // namespace mailhold::store
