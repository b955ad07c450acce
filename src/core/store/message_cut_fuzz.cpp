// A message of a stranger with a layout that the scanner gave: put together again it is the same message. The first bytes are
// the layout: a count, then offset and length of each body in 32nds of the message, and whether it is base64.
#include <cstdint>
#include <cstdlib>

#include "core/store/message_cut.h"
#include "fuzz_seeds.h"

using namespace mailhold::store;

std::vector<std::string> fuzz_seeds() {
  std::string base64;
  append_base64_lines(base64, std::string(90, 'b'), {});
  const std::string body(base64.size(), 't');
  return {std::string("\2\0\20\1\20\20\0", 7) + base64 + body, std::string("\1\0\40\1", 4) + base64 + "\r\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t count = data[0] % 8;
  if (size < 1 + 3 * count) return 0;
  NewMessage message;
  message.bytes = {reinterpret_cast<const char*>(data) + 1 + 3 * count, size - 1 - 3 * count};
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* span = data + 1 + 3 * i;
    const auto part = [&](std::uint8_t number) { return message.bytes.size() * number / 32; };
    message.bodies.push_back({part(span[0]), part(span[1]), (span[2] & 1) != 0 ? BodyEncoding::base64 : BodyEncoding::as_is});
  }
  KnownBodies known(16);
  CutMessage cut_message = cut(message, 16, known);
  // The second time its bodies are known, and give the same.
  CutMessage cut_again = cut(message, 16, known);
  if (encode(cut_message.recipe) != encode(cut_again.recipe) || cut_message.parts.size() != cut_again.parts.size()) std::abort();
  std::string again;
  std::size_t in_text = 0, in_parts = 0;
  for (std::size_t i = 0; i < cut_message.recipe.pieces.size(); ++i) {
    const Piece& piece = cut_message.recipe.pieces[i];
    if (piece.kind == Piece::Kind::inline_text) {
      again += cut_message.recipe.inline_text.substr(in_text, piece.length);
      in_text += piece.length;
      continue;
    }
    CutPart& part = cut_message.parts.at(in_parts);
    CutPart& part_again = cut_again.parts.at(in_parts++);
    if (part.piece != i || part.bytes().size() != piece.length) std::abort();
    if (part.sha256() != part_again.sha256() || part.bytes() != part_again.bytes()) std::abort();
    if (piece.kind == Piece::Kind::base64_part)
      append_base64_lines(again, part.bytes(), piece.lines);
    else
      again += part.bytes();
  }
  if (again != message.bytes) std::abort();
  if (!parse_recipe(encode(cut_message.recipe))) std::abort();
  return 0;
}
