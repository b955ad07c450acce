#include "core/store/recipe.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t line_length_max = 1000;

std::string_view characters_of(LineEnding ending) { return ending == LineEnding::lf ? "\n" : "\r\n"; }

void write_piece(ByteWriter& writer, const Piece& piece) {
  writer.u8(static_cast<std::uint8_t>(piece.kind));
  if (piece.kind != Piece::Kind::inline_text) writer.raw(piece.part.bytes());
  writer.u32(piece.length);
  if (piece.kind == Piece::Kind::base64_part)
    writer.u16(piece.lines.line_length).u8(static_cast<std::uint8_t>(piece.lines.ending));
}

// False if there is no such piece.
bool read_piece(ByteReader& reader, Piece& piece) {
  const std::uint8_t kind = reader.u8();
  if (kind > static_cast<std::uint8_t>(Piece::Kind::base64_part)) return false;
  piece.kind = static_cast<Piece::Kind>(kind);
  if (piece.kind != Piece::Kind::inline_text) piece.part = Id::from_bytes(reader.raw(Id::size));
  piece.length = reader.u32();
  if (piece.kind != Piece::Kind::base64_part) return reader.ok();
  piece.lines.line_length = reader.u16();
  const std::uint8_t ending = reader.u8();
  if (ending != static_cast<std::uint8_t>(LineEnding::lf) && ending != static_cast<std::uint8_t>(LineEnding::crlf)) return false;
  piece.lines.ending = static_cast<LineEnding>(ending);
  const bool length_is_possible =
      piece.lines.line_length > 0 && piece.lines.line_length % 4 == 0 && piece.lines.line_length <= line_length_max;
  return reader.ok() && length_is_possible;
}

std::uint64_t size_in_message(const Piece& piece) {
  return piece.kind == Piece::Kind::base64_part ? base64_lines_size(piece.length, piece.lines) : piece.length;
}

}  // namespace

std::string encode(const Recipe& recipe) {
  ByteWriter writer;
  writer.u8(format_version).u64(static_cast<std::uint64_t>(recipe.kept_since)).u64(recipe.message_bytes).raw(recipe.sha256);
  writer.u32(static_cast<std::uint32_t>(recipe.pieces.size()));
  for (const Piece& piece : recipe.pieces) write_piece(writer, piece);
  writer.raw(recipe.inline_text);
  return writer.take();
}

Result<Recipe> parse_recipe(std::string_view bytes) {
  const Error wrong{ErrorKind::corrupt, "a recipe that makes no sense"};
  ByteReader reader(bytes);
  if (reader.u8() != format_version) return Error{ErrorKind::unsupported, "a recipe of a format that is not known here"};
  Recipe recipe;
  recipe.kept_since = static_cast<Milliseconds>(reader.u64());
  recipe.message_bytes = reader.u64();
  recipe.sha256 = std::string(reader.raw(crypto::sha256_size));
  const std::uint32_t count = reader.count(5);
  if (!reader.ok() || count > pieces_max) return wrong;
  std::uint64_t inline_bytes = 0, message_bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    Piece piece;
    if (!read_piece(reader, piece)) return wrong;
    if (piece.kind == Piece::Kind::inline_text) inline_bytes += piece.length;
    message_bytes += size_in_message(piece);
    recipe.pieces.push_back(piece);
  }
  recipe.inline_text = std::string(reader.rest());
  if (!reader.ok() || inline_bytes != recipe.inline_text.size() || message_bytes != recipe.message_bytes) return wrong;
  return recipe;
}

std::uint64_t base64_lines_size(std::uint64_t bytes, const Base64Lines& lines) {
  const std::uint64_t characters = (bytes + 2) / 3 * 4;
  const std::uint64_t endings = characters == 0 ? 0 : (characters - 1) / lines.line_length;
  return characters + endings * characters_of(lines.ending).size();
}

void append_base64_lines(std::string& out, std::string_view bytes, const Base64Lines& lines) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t begin = out.size();
  out.resize(begin + static_cast<std::size_t>(base64_lines_size(bytes.size(), lines)));
  char* place = out.data() + begin;
  const std::string_view ending = characters_of(lines.ending);
  std::size_t in_line = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    if (in_line == lines.line_length) {
      place = std::copy(ending.begin(), ending.end(), place);
      in_line = 0;
    }
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - at);
    const auto byte = [&](std::size_t i) { return i < have ? static_cast<unsigned char>(bytes[at + i]) : 0U; };
    const unsigned group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    place[0] = alphabet[group >> 18];
    place[1] = alphabet[(group >> 12) & 63];
    place[2] = have > 1 ? alphabet[(group >> 6) & 63] : '=';
    place[3] = have > 2 ? alphabet[group & 63] : '=';
    place += 4;
    in_line += 4;
  }
}

bool decode_base64_lines(std::string_view body, DecodedBody& decoded) {
  const std::size_t first_end = std::min(body.find('\n'), body.size());
  decoded.lines = Base64Lines();
  std::size_t line_length = first_end;
  if (first_end < body.size() && first_end > 0) {
    decoded.lines.ending = body[first_end - 1] == '\r' ? LineEnding::crlf : LineEnding::lf;
    if (decoded.lines.ending == LineEnding::crlf) --line_length;
  }
  // A body of one line may be any length; then the length of a line does not matter as long as it is not shorter.
  if (first_end == body.size()) line_length = std::max<std::size_t>(line_length, 76) / 4 * 4;
  if (line_length == 0 || line_length % 4 != 0 || line_length > line_length_max) return false;
  decoded.lines.line_length = static_cast<std::uint16_t>(line_length);

  std::string characters;
  characters.reserve(body.size());
  const std::size_t step = line_length + characters_of(decoded.lines.ending).size();
  for (std::size_t at = 0; at < body.size(); at += step) characters += body.substr(at, line_length);
  std::optional<std::string> bytes = from_base64(characters);
  if (!bytes) return false;
  decoded.bytes = std::move(*bytes);
  std::string again;
  append_base64_lines(again, decoded.bytes, decoded.lines);
  return again == body;
}

}  // namespace mailhold::store
