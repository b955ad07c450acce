#include <gtest/gtest.h>

#include <memory>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/secret_text.h"
#include "base/short_number.h"
#include "base/text.h"

namespace mailhold {
namespace {

TEST(ShortNumber, is_written_in_one_way_only) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{16'383},
                                     std::uint64_t{16'384}, ~std::uint64_t{0} >> 1, ~std::uint64_t{0}}) {
    ByteWriter writer;
    write_short_number(writer, number);
    EXPECT_LE(writer.view().size(), 10U);
    ByteReader reader(writer.view());
    EXPECT_EQ(read_short_number(reader), number);
    EXPECT_TRUE(reader.finish());
    ByteReader cut(std::string_view(writer.view()).substr(0, writer.view().size() - 1));
    EXPECT_EQ(read_short_number(cut), 0U);
    EXPECT_FALSE(cut.ok());
  }
  using namespace std::string_literals;
  for (const std::string& wrong :
       {"\x80\x00"s, "\xff\x80\x00"s, std::string(9, '\xff') + "\x02", std::string(11, '\x80') + "\x01"}) {
    ByteReader reader(wrong);
    EXPECT_EQ(read_short_number(reader), 0U);
    EXPECT_FALSE(reader.ok()) << to_hex(wrong);
  }
}

TEST(Bytes, come_back_as_written) {
  ByteWriter writer;
  writer.u8(1).u16(0x0203).u32(0x04050607).u64(0x08090a0b0c0d0e0f).text("abc").raw("de");
  EXPECT_EQ(to_hex(writer.view()), "0102030405060708090a0b0c0d0e0f000000036162636465");
  ByteReader reader(writer.view());
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u32(), 0x04050607U);
  EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fU);
  EXPECT_EQ(reader.text(), "abc");
  EXPECT_EQ(reader.raw(2), "de");
  EXPECT_TRUE(reader.finish());
}

TEST(Bytes, a_short_or_lying_input_fails_the_reader_for_good) {
  ByteReader reader(std::string_view("\0\0\0\x09xx", 6));
  EXPECT_EQ(reader.text(), "");
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.finish().error().kind, ErrorKind::corrupt);
  ByteReader counts(std::string_view("\xff\xff\xff\xff", 4));
  EXPECT_EQ(counts.count(4), 0U);
  EXPECT_FALSE(counts.ok());
  ByteReader extra("x");
  EXPECT_FALSE(extra.finish());
}

TEST(Text, base64_of_rfc_4648_section_10) {
  const char* cases[][2] = {{"", ""},
                            {"f", "Zg=="},
                            {"fo", "Zm8="},
                            {"foo", "Zm9v"},
                            {"foob", "Zm9vYg=="},
                            {"fooba", "Zm9vYmE="},
                            {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(to_base64(plain), encoded);
    EXPECT_EQ(from_base64(encoded), plain);
  }
  for (const char* bad : {"Zg=", "Zg", "Zh==", "Zm9v=", "Z===", "Zm 9v", "Zm9vZg==Zg=="}) EXPECT_FALSE(from_base64(bad)) << bad;
  EXPECT_EQ(from_base64url(to_base64url("\xff\xfe\xfd")), "\xff\xfe\xfd");
}

TEST(Text, numbers_have_no_sign_and_no_overflow) {
  EXPECT_EQ(to_number("18"), 18U);
  for (const char* bad : {"", "-1", "+1", "1x", "99999999999999999999"}) EXPECT_FALSE(to_number(bad)) << bad;
}

TEST(Id, is_written_as_hex_and_read_back) {
  const Id id = Id::random();
  EXPECT_EQ(*Id::parse(id.text()), id);
  EXPECT_FALSE(Id::parse("12"));
  EXPECT_NE(Id::random(), Id::random());
}

TEST(SecretText, moves_and_leaves_nothing_behind) {
  SecretText first = SecretText::copy_of("open sesame");
  SecretText second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): the point of the test
  EXPECT_EQ(second.reveal(), "open sesame");
  EXPECT_TRUE(equals_in_constant_time(second.reveal(), "open sesame"));
  EXPECT_FALSE(equals_in_constant_time("a", "b"));
}

TEST(Clock, prints_as_the_rfcs_ask) {
  EXPECT_EQ(to_iso8601(1'763'826'547'123), "2025-11-22T15:49:07.123Z");
  EXPECT_EQ(to_rfc5322(1'763'826'547'123), "Sat, 22 Nov 2025 15:49:07 +0000");
}

TEST(Clock, reads_back_the_times_it_writes_and_days_and_nothing_else) {
  EXPECT_EQ(parse_iso8601("2025-11-22T15:49:07.123Z"), 1'763'826'547'123);
  EXPECT_EQ(parse_iso8601("2025-11-22T15:49:07Z"), 1'763'826'547'000);
  EXPECT_EQ(parse_iso8601("2025-11-22"), 1'763'769'600'000);
  for (const char* wrong : {"", "2025", "2025-02-30", "2025-11-22T25:00:00Z", "2025-11-22T15:49:07", "2025-11-22 15:49",
                            "1969-12-31", "2025-11-22T15:49:07Zx", "yesterday", "2025--1-01", "2025-11-22T15:49:07.Z"}) {
    EXPECT_FALSE(parse_iso8601(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace mailhold
