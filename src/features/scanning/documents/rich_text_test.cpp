#include "features/scanning/documents/rich_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "corpora.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t plenty = 1U << 20;

std::string of(const std::string& inside) {
  const DocumentText document = text_of_rich_text("{\\rtf1\\ansi " + inside + "}", plenty);
  EXPECT_TRUE(document.whole) << inside;
  return document.text;
}

TEST(RichTextTest, AFileOfARealProgramIsRead) {
  const std::string file = read_whole_file(std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/words.rtf");
  ASSERT_TRUE(is_rich_text(file));
  const DocumentText document = text_of_rich_text(file, plenty);
  EXPECT_TRUE(document.whole);
  EXPECT_EQ(
      document.text,
      "Kreidefelsen und M\u00f6wen, chalk cliffs \u20ac 47.\n\u041f\u0440\u0438\u0432\u0435\u0442, a linked word\nfootword\n.\n"
      "cellone\ncelltwo\nend\n");
  for (std::size_t size = 0; size + 3 < file.size(); size += 7)
    EXPECT_FALSE(text_of_rich_text(file.substr(0, size), plenty).whole) << size;
}

TEST(RichTextTest, AWordStaysOneThroughItsFormats) {
  EXPECT_EQ(of("Krei{\\b de}\r\nfel\\i sen\\i0\\par next\\~word\\tab x\\line y\\cell z\\_a\\-b\\\\\\{\\}"),
            "Kreidefelsen\nnext word\nx\ny\nz-ab\\{}");
}

TEST(RichTextTest, CharactersComeInThreeWays) {
  EXPECT_EQ(of("\\'e4\\u246?\\u-10179?\\u-8704?\\uc2\\u8364\\'80xy{\\uc0\\u65 b}\\u66 ccd"), "\u00e4\u00f6\U0001F600\u20acyAbBd");
  EXPECT_EQ(of("\\ansicpg1251 \\'cc\\'e8\\'f0"), "\u041c\u0438\u0440");
  EXPECT_EQ(of("{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset204 Cyr;}{\\f2\\fcharset128 J;}}\\f0 \\'e8\\f1 \\'e8{\\f2 "
               "\\'93\\'fa}\\plain\\'e8"),
            "\u00e8\u0438\u65e5\u00e8");
  EXPECT_EQ(of("\\mac \\'8a\\u65{b}"), "\u00e4Ab");  // a stand-in is never beyond its group
  EXPECT_EQ(of("don\\rquote t\\emdash\\ldblquote x\\rdblquote"), "don\u2019t\u2014\u201cx\u201d");
}

TEST(RichTextTest, WhatIsNotTheReadersIsLeftOut) {
  EXPECT_EQ(of("{\\stylesheet{\\s1 Heading;}}{\\info{\\author A}}{\\*\\unknown x{y}}{\\pict 0102}a{\\v hidden{more}}b\\v c\\v0 d"
               "{\\deleted gone}{\\field{\\*\\fldinst HYPERLINK \"http://x\"}{\\fldrslt link}}{\\listtext 1.}"),
            "abdlink");
  EXPECT_EQ(of("a{\\footnote note}b{\\*\\annotation said}{\\*\\shpinst{\\sp{\\sn n}{\\sv v}}{\\shptxt box}}"),
            "a\nnote\nb\nsaid\nbox\n");
  EXPECT_EQ(of(std::string("a\\bin5 }}{{\\b")), "ab");
}

TEST(RichTextTest, NothingGoesOnWithoutEnd) {
  const auto read = [](const std::string& file, std::size_t bytes_max = plenty) { return text_of_rich_text(file, bytes_max); };
  EXPECT_TRUE(read("{\\rtf1 " + std::string(200, '{') + "x" + std::string(201, '}')).whole);
  EXPECT_FALSE(read("{\\rtf1 " + std::string(100'000, '{') + "x" + std::string(100'001, '}')).whole);
  EXPECT_FALSE(read("{\\rtf1 \\bin999999999 x}").whole);
  EXPECT_FALSE(read("{\\rtf1 text").whole);
  EXPECT_EQ(read("{\\rtf1 text").text, "text");
  EXPECT_FALSE(read("{\\rtf1 " + std::string(101, 'x') + "}", 100).whole);
  EXPECT_EQ(read("{\\rtf1 " + std::string(101, 'x') + "}", 100).text.size(), 100U);
  EXPECT_TRUE(read("{\\rtf1 \\u99999999999999999999 \\uc-5\\f99999999999\\'zz\\ansicpg-1 x}").whole);
  EXPECT_FALSE(read("{\\rtf1\\").whole);
  EXPECT_FALSE(read("{\\rtf1\\'4").whole);
  EXPECT_TRUE(read("{\\rtf1 x}\\'}} and what stands behind").whole);
}

TEST(RichTextTest, FilesOfOtherProgramsAreRead) {
  CORPUS_OR_RETURN(folder, "msg-samples");
  for (const char* name : {"Issue347.rtf", "LZFu.rtf", "Issue332.rtf"}) {
    const std::string file = read_whole_file(folder / "msgreader/rtf" / name);
    ASSERT_TRUE(is_rich_text(file)) << name;
    const DocumentText document = text_of_rich_text(file, plenty);
    EXPECT_TRUE(document.whole) << name;
    EXPECT_GT(std::count_if(document.text.begin(), document.text.end(), [](char c) { return c > ' ' || c < 0; }), 3) << name;
  }
}

}  // namespace
}  // namespace mailhold::scanning
