#include "formats/sealed/sealed.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "formats/sealed/box.h"
#include "formats/sealed/row_reader.h"
#include "platform/crypto/x25519.h"

namespace mailhold::sealed {
namespace {

Context some_context() {
  return {.region = "eu",
          .tenant = Id::random(),
          .kind = Kind::body,
          .object_id = random_bytes(Id::size),
          .field = 2,
          .version = 7,
          .key_id = Id::random(),
          .key_version = 3,
          .extra = "extra"};
}

// Around every edge a message can have.
const std::size_t sizes[] = {0,     1,     15,    16,    17,    1000,  16367, 16368, 16383,
                             16384, 16385, 32767, 32768, 32769, 49152, 50000, 100000};

TEST(Sealed, opens_what_was_sealed_for_every_size) {
  const std::string key = random_bytes(key_size);
  const Context context = some_context();
  for (const std::size_t size : sizes) {
    const std::string plaintext = random_bytes(size);
    const std::string row = seal(key, context, plaintext);
    EXPECT_EQ(row.size(), row_size(size));
    EXPECT_EQ(open(key, context, row).value(), plaintext);
    EXPECT_EQ(open_secret(key, context, row).value().reveal(), plaintext);
    const std::string compact = seal_compact(key, context, plaintext);
    EXPECT_EQ(compact.size(), compact_size(size));
    EXPECT_EQ(open_compact(key, context, compact).value(), plaintext);
    EXPECT_EQ(open_compact_secret(key, context, compact).value().reveal(), plaintext);
  }
}

TEST(Sealed, equal_plaintexts_never_give_equal_rows) {
  const std::string key = random_bytes(key_size);
  const Context context = some_context();
  std::set<std::string> rows;
  for (int i = 0; i < 1000; ++i) rows.insert(seal(key, context, "the same"));
  EXPECT_EQ(rows.size(), 1000u);
}

TEST(Sealed, a_row_names_its_key_so_that_a_reader_finds_it) {
  const Context context = some_context();
  const RowHeader header = read_row_header(seal(random_bytes(key_size), context, "text")).value();
  EXPECT_EQ(header.key_id, context.key_id);
  EXPECT_EQ(header.key_version, context.key_version);
  EXPECT_EQ(header.version, context.version);
  EXPECT_EQ(read_row_header("CB01").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(read_row_header(std::string(100, 'x')).error().kind, ErrorKind::corrupt);
}

TEST(Sealed, rows_are_appended_to_what_is_there) {
  const std::string key = random_bytes(key_size);
  const Context context = some_context();
  std::string out = "before";
  append_sealed(out, key, context, "text");
  EXPECT_EQ(open(key, context, std::string_view(out).substr(6)).value(), "text");
  EXPECT_EQ(out.substr(0, 6), "before");
}

TEST(Sealed, a_context_is_read_back_and_nothing_else_is) {
  const Context context = some_context();
  const std::string bytes = context.encode();
  EXPECT_EQ(Context::parse(bytes).value(), context);
  EXPECT_EQ(Context::parse(bytes + "x").error().kind, ErrorKind::corrupt);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(Context::parse(std::string_view(bytes).substr(0, size)));
}

TEST(RowReader, opens_chunks_in_any_order) {
  const std::string key = random_bytes(key_size);
  const Context context = some_context();
  for (const std::size_t size : sizes) {
    const std::string plaintext = random_bytes(size);
    const std::string row = seal(key, context, plaintext);
    auto reader = RowReader::start(key, context, row.substr(0, row_prefix_size), row.size());
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->plaintext_bytes(), size);
    EXPECT_EQ(reader->chunk_count(), size / chunk_size + 1);
    for (std::uint64_t index = reader->chunk_count(); index-- > 0;) {
      const auto span = reader->chunk_span(index);
      const std::string_view bytes = std::string_view(row).substr(span.offset, span.bytes);
      EXPECT_EQ(reader->open_chunk(index, bytes).value(), plaintext.substr(index * chunk_size, chunk_size));
      if (index > 0) {
        EXPECT_EQ(reader->open_chunk(index - 1, bytes).error().kind, ErrorKind::corrupt);
      }
    }
    EXPECT_EQ(reader->open_chunk(reader->chunk_count(), "").error().kind, ErrorKind::invalid_input);
  }
}

TEST(RowReader, refuses_another_key_context_or_size) {
  const std::string key = random_bytes(key_size);
  const Context context = some_context();
  const std::string row = seal(key, context, random_bytes(40000));
  const std::string prefix = row.substr(0, row_prefix_size);
  EXPECT_FALSE(RowReader::start(random_bytes(key_size), context, prefix, row.size()));
  EXPECT_FALSE(RowReader::start(key, some_context(), prefix, row.size()));
  EXPECT_FALSE(RowReader::start(key, context, prefix.substr(1), row.size()));
  EXPECT_FALSE(RowReader::start(key, context, prefix, row_prefix_size + 2 * (chunk_size + tag_size)));
  EXPECT_FALSE(RowReader::start(key, context, prefix, row_prefix_size - 1));
  // A row cut after its first chunk claims a last chunk that is not there.
  auto cut = RowReader::start(key, context, prefix, row_prefix_size + chunk_size + tag_size + 100);
  ASSERT_TRUE(cut);
  EXPECT_FALSE(cut->open_chunk(1, row.substr(cut->chunk_span(1).offset, cut->chunk_span(1).bytes)));
}

TEST(Box, opens_for_its_recipient_only) {
  const crypto::X25519KeyPair ann = crypto::x25519_generate();
  const crypto::X25519KeyPair ben = crypto::x25519_generate();
  const Context context = some_context();
  for (const std::size_t size : sizes) {
    const std::string plaintext = random_bytes(size);
    const std::string box = seal_box(ann.public_key, context, plaintext).value();
    EXPECT_EQ(box.size(), box_size(size));
    EXPECT_EQ(open_box(ann.private_key.reveal(), context, box).value().reveal(), plaintext);
    EXPECT_EQ(open_box(ben.private_key.reveal(), context, box).error().kind, ErrorKind::corrupt);
    EXPECT_EQ(open_box(ann.private_key.reveal(), some_context(), box).error().kind, ErrorKind::corrupt);
  }
  const std::string proven = seal_box_opened_again(ann.public_key, context, "a root").value();
  EXPECT_EQ(open_box(ann.private_key.reveal(), context, proven)->reveal(), "a root");
  EXPECT_EQ(seal_box_opened_again("short", context, "x").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(seal_box("short", context, "x").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(seal_box(std::string(32, '\0'), context, "x").error().kind, ErrorKind::invalid_input);
}

TEST(Box, T7_any_changed_byte_is_refused) {
  const crypto::X25519KeyPair ann = crypto::x25519_generate();
  const Context context = some_context();
  const std::string box = seal_box(ann.public_key, context, "a short secret").value();
  for (std::size_t at = 0; at < box.size(); ++at) {
    std::string changed = box;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 7)));
    EXPECT_FALSE(open_box(ann.private_key.reveal(), context, changed)) << at;
  }
  for (std::size_t size = 0; size < box.size(); ++size) {
    EXPECT_FALSE(open_box(ann.private_key.reveal(), context, std::string_view(box).substr(0, size))) << size;
  }
}

// What is left of a message of three chunks, the last of them short.
TEST(Remains, are_the_chunks_that_were_not_touched_and_nothing_else) {
  const std::string key = random_bytes(key_size), plaintext = random_bytes(2 * chunk_size + 500);
  const Context context = some_context();
  const std::string message = seal_compact(key, context, plaintext);
  const Remains all = open_compact_remains(key, context, message).value();
  EXPECT_EQ(all.plaintext, plaintext);
  EXPECT_TRUE(all.has(0, plaintext.size()));
  EXPECT_FALSE(all.has(0, plaintext.size() + 1));
  EXPECT_FALSE(all.has(plaintext.size() + 1, 0));
  for (std::size_t chunk = 0; chunk < 3; ++chunk) {
    std::string damaged = message;
    damaged[prefix_size + chunk * (chunk_size + tag_size) + 7] ^= 1;
    const Remains left = open_compact_remains(key, context, damaged).value();
    EXPECT_EQ(open_compact(key, context, damaged).error().kind, ErrorKind::corrupt);
    for (std::size_t at = 0; at < 3; ++at) {
      const std::size_t begin = at * chunk_size, size = std::min(chunk_size, plaintext.size() - begin);
      EXPECT_EQ(left.has(begin, size), at != chunk);
      EXPECT_EQ(left.plaintext.substr(begin, size), at != chunk ? plaintext.substr(begin, size) : std::string(size, '\0'));
    }
    EXPECT_EQ(left.has(chunk_size - 1, 2), chunk == 2);
    EXPECT_FALSE(left.has(0, plaintext.size()));
  }
  for (const std::size_t at : {std::size_t{0}, salt_size, prefix_size - 1}) {
    std::string damaged = message;
    damaged[at] ^= 1;
    EXPECT_EQ(open_compact_remains(key, context, damaged).error().kind, ErrorKind::corrupt) << at;
  }
  Context elsewhere = context;
  ++elsewhere.version;
  EXPECT_EQ(open_compact_remains(key, elsewhere, message).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(open_compact_remains(random_bytes(key_size), context, message).error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::sealed
