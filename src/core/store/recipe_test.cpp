#include "core/store/recipe.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"
#include "base/text.h"

namespace mailhold::store {
namespace {

TEST(Base64Lines, are_decoded_only_if_encoding_gives_them_back) {
  struct Row {
    const char* name;
    std::string body;
    bool decodes;
  };
  const std::string full(76, 'A');
  const Row rows[] = {
      {"one line", "QUJD", true},
      {"padding", "QUI=", true},
      {"two lines", full + "\r\n" + "QUI=", true},
      {"lines of LF", full + "\n" + full + "\n" + "QQ==", true},
      {"short lines", "QUJD\r\nQUJD\r\nQQ==", true},
      {"full last line", full + "\r\n" + full, true},
      {"empty", "", true},
      {"trailing bits set", "QUJ=", false},
      {"padding missing", "QUI", false},
      {"padding in the middle", "QUI=\r\nQUJD", false},
      {"mixed endings", full + "\r\n" + full + "\n" + "QUI=", false},
      {"a longer line later", "QUJD\r\nQUJDQUJD", false},
      {"a shorter line before the last", full + "\r\n" + "QUJD" + "\r\n" + "QUJD", false},
      {"space at the end of a line", "QUJD \r\nQUJD", false},
      {"an empty line", full + "\r\n\r\n" + full, false},
      {"lines of no multiple of 4", "QUJDQ\r\nUJD", false},
      {"other bytes where an ending must be", full + "\r\n" + full + "==" + "QUI=", false},
      {"bare CR", full + "\r" + full, false},
      {"too long a line", std::string(1004, 'A') + "\r\n" + std::string(1004, 'A'), false},
  };
  for (const Row& row : rows) {
    DecodedBody decoded;
    EXPECT_EQ(decode_base64_lines(row.body, decoded), row.decodes) << row.name;
  }
}

TEST(Base64Lines, of_every_length_come_back) {
  for (std::size_t size = 1; size < 400; ++size) {
    const std::string bytes = random_bytes(size);
    for (const std::uint16_t line : std::vector<std::uint16_t>{4, 60, 64, 76}) {
      for (const LineEnding ending : {LineEnding::lf, LineEnding::crlf}) {
        std::string body;
        append_base64_lines(body, bytes, {line, ending});
        EXPECT_EQ(body.size(), base64_lines_size(size, {line, ending}));
        DecodedBody decoded;
        ASSERT_TRUE(decode_base64_lines(body, decoded)) << size << " in lines of " << line;
        EXPECT_EQ(decoded.bytes, bytes);
      }
    }
  }
}

// Characters are decoded many at a time, and some of them by themselves.
TEST(Base64Lines, of_another_character_anywhere_are_refused) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string line(76, 'Q');
  DecodedBody decoded;
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      const char character = static_cast<char>(value);
      std::string body = line + "\r\n" + line + "\r\nQUJD";
      body[line.size() + 2 + at] = character;
      EXPECT_EQ(decode_base64_lines(body, decoded), alphabet.find(character) != std::string_view::npos) << value << " at " << at;
    }
  }
}

Recipe example() {
  Recipe recipe;
  recipe.sha256 = std::string(32, 'h');
  recipe.inline_text = "headersend";
  recipe.pieces = {{Piece::Kind::inline_text, 7, Id(), {}},
                   {Piece::Kind::base64_part, 100, Id::from_bytes("0123456789abcdef"), {76, LineEnding::lf}},
                   {Piece::Kind::part, 50, Id::from_bytes("fedcba9876543210"), {}},
                   {Piece::Kind::inline_text, 3, Id(), {}}};
  recipe.message_bytes = 10 + 50 + base64_lines_size(100, {76, LineEnding::lf});
  return recipe;
}

TEST(Recipe, is_written_and_read) {
  const Recipe read = *parse_recipe(encode(example()));
  EXPECT_EQ(read.pieces, example().pieces);
  EXPECT_EQ(read.inline_text, "headersend");
  EXPECT_EQ(read.message_bytes, example().message_bytes);
}

std::string encode_long(const Recipe& recipe) {
  ByteWriter writer;
  writer.u8(1).u64(1'790'000'000'000).u64(recipe.message_bytes).raw(recipe.sha256);
  writer.u32(static_cast<std::uint32_t>(recipe.pieces.size()));
  for (const Piece& piece : recipe.pieces) {
    writer.u8(static_cast<std::uint8_t>(piece.kind));
    if (piece.kind != Piece::Kind::inline_text) writer.raw(piece.part.bytes());
    writer.u32(piece.length);
    if (piece.kind == Piece::Kind::base64_part)
      writer.u16(piece.lines.line_length).u8(static_cast<std::uint8_t>(piece.lines.ending));
  }
  return writer.raw(recipe.inline_text).take();
}

TEST(Recipe, of_version_1_is_still_read) {
  const Recipe read = *parse_recipe(encode_long(example()));
  EXPECT_EQ(encode(read), encode(example()));
  EXPECT_EQ(read.message_bytes, example().message_bytes);
  EXPECT_LT(encode(example()).size() + 20, encode_long(example()).size());
  Recipe wrong = example();
  wrong.message_bytes += 1;
  EXPECT_EQ(parse_recipe(encode_long(wrong)).error().kind, ErrorKind::corrupt);
}

TEST(Recipe, that_does_not_add_up_is_corrupt) {
  const std::string good = encode(example());
  for (std::size_t cut = 1; cut < good.size(); ++cut) EXPECT_FALSE(parse_recipe(std::string_view(good).substr(0, cut))) << cut;
  EXPECT_EQ(parse_recipe(good + "x").error().kind, ErrorKind::corrupt);
  Recipe wrong = example();
  wrong.inline_text += "x";
  EXPECT_EQ(parse_recipe(encode(wrong)).error().kind, ErrorKind::corrupt);
  wrong = example();
  wrong.pieces[1].lines.line_length = 0;
  EXPECT_EQ(parse_recipe(encode(wrong)).error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::store
