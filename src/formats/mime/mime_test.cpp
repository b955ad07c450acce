#include <gtest/gtest.h>

#include <chrono>

#include "base/utf8.h"
#include "formats/mime/message.h"
#include "formats/mime/parameters.h"
#include "formats/mime/readings.h"
#include "formats/mime/text.h"
#include "formats/mime/transfer.h"

namespace mailhold::mime {
namespace {

constexpr const char* two_parts =
    "From: ann@example.com\r\nSubject: hello\r\n there\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
    "boundary=\"b1\"\r\n\r\n"
    "preamble\r\n--b1\r\n\r\nfirst\r\n--b1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\nPGI+\r\n--b1--\r\nepilogue\r\n";

TEST(MimeMessage, names_parts_by_where_they_stand) {
  const std::string bytes = two_parts;
  const Message message = parse(bytes);
  ASSERT_EQ(message.parts.size(), 3u);
  EXPECT_EQ(message.parts[0].type, "multipart/mixed");
  EXPECT_EQ(message.parts[1].body.of(bytes), "first");
  EXPECT_EQ(message.parts[2].body.of(bytes), "PGI+");
  EXPECT_EQ(message.parts[2].encoding, Encoding::base64);
  EXPECT_EQ(message.parts[1].next_sibling, 2);
  EXPECT_EQ(message.parts[0].boundary_span.of(bytes), "b1");
  EXPECT_TRUE(message.oddities.empty());
}

TEST(MimeMessage, gives_field_values_folded_and_unfolds_them) {
  const std::string bytes = two_parts;
  const Message message = parse(bytes);
  const Field* subject = message.find(bytes, message.parts[0], "SUBJECT");
  ASSERT_NE(subject, nullptr);
  EXPECT_EQ(subject->value.of(bytes), " hello\r\n there");
  EXPECT_EQ(subject->whole.of(bytes), "Subject: hello\r\n there\r\n");
  EXPECT_EQ(unfold(subject->value.of(bytes)), "hello there");
}

TEST(MimeMessage, an_outer_delimiter_ends_inner_parts) {
  const std::string bytes =
      "Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: multipart/alternative; boundary=inner\n\n"
      "--inner\n\ninside\n--outer\n\nbehind\n--outer--\n";
  const Message message = parse(bytes);
  ASSERT_EQ(message.parts.size(), 4u);
  EXPECT_EQ(message.parts[2].body.of(bytes), "inside");
  EXPECT_EQ(message.parts[3].body.of(bytes), "behind");
  EXPECT_EQ(message.parts[3].parent, 0);
  EXPECT_TRUE(message.oddities.has(OddityKind::no_close_delimiter));
}

TEST(MimeMessage, reads_a_message_inside_a_message) {
  const std::string bytes = "Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/html\n\n<p>\n";
  const Message message = parse(bytes);
  ASSERT_EQ(message.parts.size(), 2u);
  EXPECT_EQ(message.parts[1].type, "text/html");
  EXPECT_EQ(message.parts[1].body.of(bytes), "<p>\n");
}

std::string nested(int depth) {
  std::string bytes;
  for (int i = 0; i < depth; ++i)
    bytes += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" + std::to_string(i) + "\r\n";
  return bytes + "\r\nend\r\n";
}

TEST(MimeMessage, ends_at_its_limits_in_little_time) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(parse(nested(10'000)).oddities.has(OddityKind::too_deep));
  std::string many_fields;
  for (int i = 0; i < 1'000'000; ++i) many_fields += "A: b\r\n";
  EXPECT_TRUE(parse(many_fields + "\r\n").oddities.has(OddityKind::too_many_fields));
  std::string many_parts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 100'000; ++i) many_parts += "--b\r\n\r\n";
  EXPECT_TRUE(parse(many_parts).oddities.has(OddityKind::too_many_parts));
  std::string dashes = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + std::string(16u << 20, '-') + "\r" +
                       std::string(16u << 20, '-');
  (void)parse(dashes);
  std::string folds = "Subject: a\r\n";
  for (int i = 0; i < 1'000'000; ++i) folds += " b\r\n";
  (void)parse(folds);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(MimeMessage, a_long_base64_line_is_linear) {
  const std::string bytes =
      "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + std::string(32u << 20, 'A') + "\r\n";
  const auto start = std::chrono::steady_clock::now();
  Message message = parse(bytes);
  std::size_t decoded = 0;
  EXPECT_TRUE(
      visit_readings(bytes, message, {}, [&](const Reading& reading) { decoded = std::max(decoded, reading.bytes.size()); }));
  EXPECT_EQ(decoded, 24u << 20);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(MimeMessage, stops_when_the_readings_are_too_many_bytes) {
  const std::string bytes =
      "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + std::string(1u << 20, 'A') + "=!\r\n";
  Message message = parse(bytes);
  EXPECT_FALSE(visit_readings(bytes, message, {1u << 19}, [](const Reading&) {}));
}

struct OddCase {
  const char* what;
  std::string bytes;
  OddityKind kind;
};

TEST(MimeOddity, says_what_is_odd) {
  const std::string head = "From: a@example.com\r\n";
  const OddCase cases[] = {
      {"two types", head + "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx", OddityKind::two_content_types},
      {"two encodings", head + "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx",
       OddityKind::two_transfer_encodings},
      {"encoded multipart",
       head + "Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: base64\r\n\r\n--x\r\n\r\n--x--",
       OddityKind::encoded_multipart},
      {"unknown encoding", head + "Content-Transfer-Encoding: x-secret\r\n\r\nx", OddityKind::unknown_transfer_encoding},
      {"no boundary", head + "Content-Type: multipart/mixed\r\n\r\nx", OddityKind::no_boundary},
      {"two boundaries", head + "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\n--a--",
       OddityKind::two_boundaries},
      {"prefix", head + "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n--ab\r\n\r\n--a--",
       OddityKind::almost_delimiter},
      {"indented", head + "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n --a\r\n\r\n--a--",
       OddityKind::almost_delimiter},
      {"after close", head + "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n--a--\r\n--a\r\n\r\nx",
       OddityKind::delimiter_after_close},
      {"bare CR", head + "Content-Type: text/plain\rX: y\r\n\r\nx", OddityKind::bare_cr_in_header},
      {"mixed ends", head + "Subject: a\nTo: b@example.com\r\n\r\nx", OddityKind::mixed_line_ends_in_header},
      {"blank colon", head + "Content-Type : text/html\r\n\r\nx", OddityKind::space_before_colon},
      {"uuencode", head + "\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n", OddityKind::uuencode_in_text},
  };
  for (const OddCase& one : cases) {
    Message message = parse(one.bytes);
    visit_readings(one.bytes, message, {}, [](const Reading&) {});
    EXPECT_TRUE(message.oddities.has(one.kind)) << one.what;
  }
}

TEST(MimeParameters, reads_extended_and_continued_values) {
  const auto value = parse_parameters(
      "attachment; filename*0*=UTF-8''na%C3%AFve; filename*1=\" file\"; filename*2*=%2Etxt; filename=\"naive file.txt\"");
  EXPECT_EQ(value.value, "attachment");
  EXPECT_EQ(readings_of(value, "filename"), (std::vector<std::string>{"naïve file.txt", "naive file.txt"}));
}

TEST(MimeParameters, reads_encoded_words_in_names_as_some_programs_write_them) {
  const auto value = parse_parameters("application/pdf; name=\"=?utf-8?B?w7xiZXIucGRm?=\"");
  EXPECT_EQ(readings_of(value, "name"), (std::vector<std::string>{"über.pdf"}));
}

TEST(MimeParameters, forgives_a_final_semicolon_only) {
  EXPECT_FALSE(parse_parameters("text/plain; charset=utf-8;").syntax);
  EXPECT_TRUE(parse_parameters("multipart/mixed boundary=x").syntax);
  EXPECT_TRUE(parse_parameters("multipart/mixed; boundary=\"x").syntax);
  EXPECT_TRUE(parse_parameters("multipart/mixed; boundary=(c)x").comment);
}

TEST(MimeText, decodes_encoded_words) {
  EXPECT_EQ(decode_header_text("=?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?IGF1cw==?= Bonn"), "Grüße aus Bonn");
  EXPECT_EQ(decode_header_text("plain\r\n folded"), "plain folded");
  EXPECT_EQ(decode_header_text("=?x?Z?no?="), "=?x?Z?no?=");
  EXPECT_EQ(decode_header_text("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?="), "日本");
}

TEST(MimeText, makes_utf8_of_any_bytes) {
  EXPECT_EQ(to_utf8("\xE9", "iso-8859-1"), "é");
  EXPECT_EQ(to_utf8("\x80", "windows-1252"), "€");
  EXPECT_EQ(to_utf8("\xE9", "no-such-charset"), "é");
  EXPECT_TRUE(is_utf8(to_utf8("\xFF\xFE\x80", "utf-8")));
}

TEST(MimeTransfer, decodes_base64_and_says_which_leniency_it_took) {
  EXPECT_FALSE(decode_base64("SGVsbG8=\r\n").leniency.any());
  EXPECT_EQ(decode_base64("SGVs\r\nbG8=").bytes, "Hello");
  EXPECT_TRUE(decode_base64("SG!Vs").leniency.junk);
  EXPECT_TRUE(decode_base64("SGVsbG8=SGVs").leniency.data_after_padding);
  EXPECT_EQ(decode_base64("SGVsbG8=SGVs", Base64Reading::until_padding).bytes, "Hello");
  EXPECT_TRUE(decode_base64("SGVsbG8").leniency.odd_length);
}

TEST(MimeTransfer, encodes_what_it_decodes) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<char>(i * 7));
  const std::string lines = encode_base64_lines(bytes, 76, "\r\n", true);
  EXPECT_EQ(decode_base64(lines).bytes, bytes);
  EXPECT_FALSE(decode_base64(lines).leniency.any());
  const std::string run = encode_quoted_printable_run(bytes, 60, "\r\n");
  EXPECT_EQ(decode_quoted_printable(run).bytes, bytes);
  EXPECT_FALSE(decode_quoted_printable(run).leniency.any());
}

TEST(MimeTransfer, finds_uuencoded_files_and_no_prose) {
  const auto files = find_uuencoded("hi\nbegin 644 cat.txt\n#0V%T\n`\nend\nbye\n");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].name, "cat.txt");
  EXPECT_EQ(files[0].bytes, "Cat");
  EXPECT_TRUE(
      find_uuencoded(
          "begin 644 reasons why we should all read this long sentence\nAnd then it goes on as prose for quite a while.\n")
          .empty());
}

}  // namespace
}  // namespace mailhold::mime
