#include "formats/contentlines/content_lines.h"

#include <gtest/gtest.h>

#include "formats/contentlines/meaning.h"

namespace mailhold::contentlines {
namespace {

ErrorKind kind_of(const std::string& text, const Limits& limits = {}) { return read_components(text, limits).error().kind; }

TEST(ContentLines, are_unfolded_and_cut_into_parts) {
  const auto read = read_components(
      "begin:vcard\r\nitem1.Tel;TYPE=\"a,b;c:d\",e;x-P=^nq^^^':+1\r\n "
      "23\n\t4\nEMPTY:\nBEGIN:INNER\nA;B:c\nEND:inner\r\nEND:VCARD");
  ASSERT_TRUE(read) << read.error().detail;
  ASSERT_EQ(read->size(), 1U);
  const Component& card = read->front();
  EXPECT_EQ(card.name, "VCARD");
  ASSERT_EQ(card.properties.size(), 2U);
  EXPECT_EQ(card.properties[0].group, "ITEM1");
  EXPECT_EQ(card.properties[0].name, "TEL");
  EXPECT_EQ(card.properties[0].value, "+1234");
  ASSERT_EQ(card.properties[0].parameters.size(), 2U);
  EXPECT_EQ(card.properties[0].parameters[0].values, (std::vector<std::string>{"a,b;c:d", "e"}));
  EXPECT_EQ(card.properties[0].parameters[1].values, (std::vector<std::string>{"\nq^\""}));
  ASSERT_EQ(card.components.size(), 1U);
  EXPECT_EQ(card.components[0].properties[0].parameters[0].name, "B");
}

TEST(ContentLines, what_cannot_be_read_is_an_error) {
  EXPECT_TRUE(read_components(""));
  for (const char* text :
       {"A:b", "BEGIN:A", "BEGIN:A\nEND:B", "END:A", "BEGIN:A\nno colon\nEND:A", "BEGIN:A\nX;Y=\"a:b\nEND:A",
        "BEGIN:A\nX;Y=\"a\"b:c\nEND:A", "BEGIN:A\n;:x\nEND:A", "BEGIN:A\nX;=y:z\nEND:A", "BEGIN:A\nä:b\nEND:A"})
    EXPECT_EQ(kind_of(text), ErrorKind::invalid_input) << text;
  std::string deep, many = "BEGIN:A\nX";
  for (int i = 0; i < 40; ++i) deep += "BEGIN:A\n";
  EXPECT_EQ(kind_of(deep), ErrorKind::limit_exceeded);
  for (int i = 0; i < 200; ++i) many += ";P=1";
  EXPECT_EQ(kind_of(many + ":x\nEND:A"), ErrorKind::limit_exceeded);
  EXPECT_EQ(kind_of("BEGIN:A\nX:1\nX:2\nEND:A", {.lines_max = 2}), ErrorKind::limit_exceeded);
  EXPECT_EQ(kind_of("BEGIN:A\nEND:A", {.bytes_max = 3}), ErrorKind::limit_exceeded);
}

TEST(ContentLines, escapes_have_one_form) {
  EXPECT_EQ(canonical_escapes("a\\Nb\\nc\\,d\\:e\\\\f\\"), "a\\nb\\nc\\,d:e\\\\f\\");
  EXPECT_EQ(split_unescaped("a\\,b,c,,\\\\,d", ','), (std::vector<std::string>{"a\\,b", "c", "", "\\\\", "d"}));
}

}  // namespace
}  // namespace mailhold::contentlines
