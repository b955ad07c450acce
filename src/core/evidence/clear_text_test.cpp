#include "core/evidence/clear_text.h"

#include <gtest/gtest.h>

namespace mailhold::ledger {
namespace {

const std::string blinder(16, '\x5a');
const Id tenant = *Id::parse("000102030405060708090a0b0c0d0e0f");

Entry entry_with(const std::string& name, const Value& value) { return {tenant, Id(), "use.intent", {{name, value}}}; }

TEST(ClearText, is_canonical_json) {
  const Entry entry{tenant,
                    *Id::parse("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
                    "use.intent",
                    {{"zone", "a\"\\\b\f\n\r\t\x01/\x7f\xC3\xA9"}, {"dest.port", 587}, {"low", -5}}};
  EXPECT_EQ(
      *write_clear_text(entry, blinder),
      R"({"b":"WlpaWlpaWlpaWlpaWlpaWg","connection":"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff","dest.port":587,"low":-5,"t":"use.intent",)"
      R"("tenant":"000102030405060708090a0b0c0d0e0f","v":1,"zone":"a\"\\\b\f\n\r\t\u0001/)"
      "\x7f\xC3\xA9\"}");
}

TEST(ClearText, is_read_back_as_it_was_written) {
  const Entry entry{
      tenant, Id(), "use.outcome", {{"text", "\xF0\x9F\x93\xAC \x02"}, {"max", (std::int64_t{1} << 53) - 1}, {"empty", ""}}};
  const Entry again = *parse_clear_text(*write_clear_text(entry, blinder));
  EXPECT_EQ(again.tenant, entry.tenant);
  EXPECT_EQ(again.type, entry.type);
  EXPECT_EQ(again.fields, entry.fields);
  EXPECT_TRUE(again.connection.is_none());
}

TEST(ClearText, what_other_readers_would_see_differently_is_not_written) {
  EXPECT_FALSE(write_clear_text(entry_with("n", std::int64_t{1} << 53), blinder));
  EXPECT_FALSE(write_clear_text(entry_with("n", "\xff"), blinder));
  EXPECT_FALSE(write_clear_text(entry_with("N", "x"), blinder));
  EXPECT_FALSE(write_clear_text(entry_with("", "x"), blinder));
  for (const char* name : {"v", "t", "b", "tenant", "connection"})
    EXPECT_FALSE(write_clear_text(entry_with(name, "x"), blinder)) << name;
  EXPECT_FALSE(write_clear_text(entry_with("n", "x"), "short"));
  EXPECT_FALSE(write_clear_text({Id(), Id(), "use.intent", {}}, blinder));
  EXPECT_EQ(write_clear_text(entry_with("n", std::string(17'000, 'x')), blinder).error().kind, ErrorKind::limit_exceeded);
}

TEST(ClearText, other_spellings_of_the_same_are_refused) {
  const std::string right = *write_clear_text(entry_with("n", "x"), blinder);
  ASSERT_TRUE(parse_clear_text(right));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = right;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  for (const std::string& changed :
       {replaced(",", ", "), replaced("\"x\"", "\"\\u0078\""), replaced("\"n\":\"x\"", "\"n\":\"x\",\"n\":\"x\""),
        replaced("\"v\":1", "\"v\":1.0"), replaced("\"v\":1", "\"v\":2"), replaced("\"n\":\"x\"", "\"n\":{}"),
        replaced("\"n\":\"x\"", "\"n\":true"), replaced("\"n\":\"x\"", "\"n\":null"),
        replaced("000102", "000102030405060708090A"), right + " ", " " + right, right.substr(1), std::string("{}"),
        std::string("[]"), std::string()}) {
    EXPECT_EQ(parse_clear_text(changed).error().kind, ErrorKind::corrupt) << changed;
  }
}

}  // namespace
}  // namespace mailhold::ledger
