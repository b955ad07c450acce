#include "formats/sealed/chunk_file.h"

#include <gtest/gtest.h>

#include "formats/sealed/sealed.h"

namespace mailhold::sealed {
namespace {

class ChunkFileTest : public testing::TestWithParam<std::size_t> {
 protected:
  ChunkFileTest() {
    context_.region = "eu";
    context_.tenant = Id::random();
    context_.kind = Kind::index_segment;
    context_.object_id = "an object";
    context_.key_version = 3;
    for (std::size_t i = 0; i < GetParam(); ++i) text_ += static_cast<char>(i * 31 >> 3);
  }
  Result<std::string> opened(const std::string& row) const {
    ASSIGN_OR_RETURN(const ChunkReader reader,
                     ChunkReader::begin(key_, context_, std::string_view(row).substr(0, row_prefix_size), row.size()));
    std::string text(reader.plaintext_bytes(), '\0');
    for (std::uint64_t i = reader.chunks(); i-- > 0;) {
      const std::string_view sealed = std::string_view(row).substr(reader.place_of(i), reader.sealed_size_of(i));
      RETURN_IF_ERROR(reader.open(i, sealed, text.data() + i * chunk_size));
    }
    return text;
  }

  const std::string key_ = std::string(32, 'k');
  Context context_;
  std::string text_;
};

// What is written in pieces opens as a whole, and the other way round: the bytes are the same construction.
TEST_P(ChunkFileTest, IsTheSameAsARow) {
  ChunkWriter writer(key_, context_);
  std::string row = writer.head();
  for (std::size_t at = 0;; at += chunk_size) {
    const std::string_view piece = std::string_view(text_).substr(at, chunk_size);
    row += writer.seal_next(piece);
    if (piece.size() < chunk_size) break;
  }
  const auto whole = open(key_, context_, row);
  ASSERT_TRUE(whole);
  EXPECT_EQ(*whole, text_);
  const auto pieces = opened(seal(key_, context_, text_));
  ASSERT_TRUE(pieces);
  EXPECT_EQ(*pieces, text_);
}

TEST_P(ChunkFileTest, RefusesWhatIsNotThatRow) {
  const std::string row = seal(key_, context_, text_);
  for (std::size_t at = 0; at < row.size(); at += at < row_prefix_size ? 1 : 397) {
    std::string changed = row;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    EXPECT_EQ(opened(changed).error().kind, ErrorKind::corrupt) << at;
  }
  for (const std::size_t cut : {std::size_t{1}, std::size_t{16}, chunk_size + tag_size}) {
    if (cut < row.size()) {
      EXPECT_FALSE(opened(row.substr(0, row.size() - cut))) << cut;
    }
  }
  EXPECT_FALSE(opened(row + 'x'));
  const auto begun = ChunkReader::begin(key_, context_, std::string_view(row).substr(0, row_prefix_size), row.size());
  std::string out(chunk_size, '\0');
  EXPECT_FALSE(begun->open(begun->chunks(), {}, out.data()));
}

INSTANTIATE_TEST_SUITE_P(, ChunkFileTest, testing::Values(0, 1, 16383, 16384, 16385, 32768, 50000));

}  // namespace
}  // namespace mailhold::sealed
