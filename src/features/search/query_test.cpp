#include "features/search/query.h"

#include <gtest/gtest.h>

namespace mailhold::search {
namespace {

std::string words_of(std::string_view text) {
  const auto parsed = parse_query(text);
  return parsed ? parsed->words : parsed.error().for_peer;
}

TEST(QueryTest, AllWordsArePutTogether) {
  EXPECT_EQ(words_of("report"), R"(("report"))");
  EXPECT_EQ(words_of("  report   budget "), R"(("report") AND ("budget"))");
  EXPECT_EQ(words_of(R"("annual report" -draft)"), R"((("annual report")) NOT (("draft")))");
  EXPECT_EQ(words_of("invoi*"), R"(("invoi" *))");
  EXPECT_EQ(words_of("from:ann@example.com to:bob"), R"((sender : "ann@example.com") AND (recipient : "bob"))");
  EXPECT_EQ(words_of(R"(subject:"two words" attachment:plan*)"), R"((subject : "two words") AND (attachment : "plan" *))");
  EXPECT_EQ(words_of("Größe"), R"(("Größe"))");
  EXPECT_EQ(words_of("http://a.example/x"), R"(("http://a.example/x"))");
}

TEST(QueryTest, ConditionsAreNoWords) {
  const auto parsed = parse_query(R"(folder:"Projects/Old plans" after:2026-01-02 before:2026-02-01 has:attachment)");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->folder, "Projects/Old plans");
  EXPECT_EQ(to_iso8601(parsed->from), "2026-01-02T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(parsed->until), "2026-02-01T00:00:00.000Z");
  EXPECT_EQ(parsed->words,
            "\"\xee\x80\x80"
            "a\"");
  EXPECT_EQ(words_of("-has:unreadable word"),
            "((\"word\")) NOT (\"\xee\x80\x80"
            "u\")");
  // With conditions alone, every document counts.
  EXPECT_EQ(words_of("after:2026-01-02"),
            "\"\xee\x80\x80"
            "all\"");
  const Question question = parsed->question(Id::from_bytes("0123456789abcdef"), 7);
  EXPECT_EQ(question.words,
            "\"\xee\x80\x80"
            "m30313233343536373839616263646566\" AND (" +
                parsed->words + ")");
  EXPECT_EQ(question.limit, 7U);
}

TEST(QueryTest, AnErrorSaysWhereAndNotWhat) {
  EXPECT_EQ(words_of(""), "the query, at character 1: there is nothing to look for");
  EXPECT_EQ(words_of("größe \"offen"), "the query, at character 7: a quotation mark that is never closed");
  EXPECT_EQ(words_of("a from:"), "the query, at character 8: something must stand behind the colon");
  EXPECT_EQ(words_of("a -"), "the query, at character 4: a word is missing");
  EXPECT_EQ(words_of("--- a"), "the query, at character 2: there is no word in this");
  EXPECT_EQ(words_of("before:yesterday"), "the query, at character 8: not a time like 2026-11-22 or 2026-11-22T15:04:05Z");
  EXPECT_EQ(words_of("has:wings"), "the query, at character 5: has: is for attachment and unreadable only");
  EXPECT_EQ(words_of("-folder:a b"), "the query, at character 1: only words and has: can be ruled out");
  EXPECT_EQ(words_of("folder:a folder:b"), "the query, at character 17: a second folder:");
  EXPECT_EQ(words_of("after:2026-02-01 before:2026-01-01"),
            "the query, at character 1: nothing is both after: and before: these times");
  EXPECT_EQ(words_of(std::string_view("\"a \0b\"", 6)), "the query, at character 4: a control character");
  EXPECT_EQ(words_of("\xff"), "the query, at character 1: this is not UTF-8");
  std::string many;
  for (int i = 0; i < 65; ++i) many += "w ";
  EXPECT_EQ(words_of(many), "the query, at character 129: more than 64 terms");
  EXPECT_EQ(words_of(std::string(5000, 'a')), "a query has at most 4096 bytes");
  for (const char* query : {"needle before:needle", "needle \"needle", "has:needle"})
    EXPECT_EQ(words_of(query).find("needle"), std::string::npos) << query;
}

TEST(QueryTest, NobodyAsksForMarks) {
  // U+E000 is taken out of what is typed, and quotation marks inside a word stay inside.
  EXPECT_EQ(words_of("\xee\x80\x80"
                     "all"),
            R"(("all"))");
  EXPECT_EQ(words_of(R"(a"b)"), R"x(("a""b"))x");
}

}  // namespace
}  // namespace mailhold::search
