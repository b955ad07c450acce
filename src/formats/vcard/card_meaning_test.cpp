#include "formats/vcard/card_meaning.h"

#include <gtest/gtest.h>

#include "corpora.h"

namespace mailhold::vcard {
namespace {

std::string card(const std::string& lines) { return "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\n" + lines + "END:VCARD\r\n"; }

std::string between(const std::string& a, const std::string& b) {
  const auto found = difference_of(a, b);
  if (!found) return "unreadable";
  std::string names;
  for (const std::string& name : found->names) names += (names.empty() ? "" : " ") + name;
  return found->is_none ? "" : names;
}

TEST(CardMeaning, is_the_same_however_it_is_written) {
  const std::pair<std::string, std::string> same[] = {
      {"N:Doe;John\r\n", "N:Doe;John;;;\r\nREV:20260101T000000Z\r\nPRODID:x\r\n"},
      {"TEL;TYPE=home,voice:1\r\nEMAIL:a@x\r\n", "EMAIL:a@x\nTEL;TYPE=VOICE;TYPE=HOME:1\n"},
      {"TEL;TYPE=\"voice,home\":1\r\n", "TEL;TYPE=home,voice:1\r\n"},
      {"PHOTO;ENCODING=b;TYPE=jpeg:AAAA\r\n", "PHOTO;TYPE=JPEG;ENCODING=BASE64:AA\r\n  AA\r\n"},
      {"CATEGORIES:a,b\r\n", "CATEGORIES:b,a\r\n"},
      {"NOTE:a\\nb\r\n", "NOTE:a\\Nb\r\n"},
      {"item1.TEL:1\r\nitem1.X-ABLABEL:x\r\n", "ITEM1.X-ABLabel:x\r\nitem1.TEL:1\r\n"}};
  for (const auto& [a, b] : same) EXPECT_EQ(between(card(a), card(b)), "") << a;
}

TEST(CardMeaning, is_another_where_anything_of_it_is) {
  const struct {
    std::string a, b, what;
  } others[] = {{"N:Doe;John\r\n", "N:Doe;;John\r\n", "VCARD.N"},
                {"TEL;TYPE=home:1\r\n", "TEL;TYPE=work:1\r\n", "VCARD.TEL"},
                {"TEL:1\r\n", "TEL:1\r\nTEL:1\r\n", "VCARD.TEL"},
                {"PHOTO;ENCODING=b:AAAA\r\n", "PHOTO;ENCODING=b:AAAB\r\n", "VCARD.PHOTO"},
                {"PHOTO;ENCODING=b:AAAA\r\n", "", "VCARD.PHOTO"},
                {"NOTE:a\\;b\r\n", "NOTE:a;b\r\n", "VCARD.NOTE"},
                {"item1.TEL:1\r\nitem1.X-ABLABEL:x\r\n", "item1.TEL:1\r\nitem2.X-ABLABEL:x\r\n", "VCARD.X-ABLABEL"}};
  for (const auto& [a, b, what] : others) EXPECT_EQ(between(card(a), card(b)), what);
  EXPECT_EQ(between(card(""), "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann\r\nEND:VCARD\r\n"), "VCARD.VERSION");
  EXPECT_EQ(between(card(""), "no card"), "unreadable");
}

TEST(CardMeaning, of_the_collection_is_its_own) {
  CORPUS_OR_RETURN(folder, "itip-calendar-vcard");
  std::size_t compared = 0, unreadable = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".vcf") continue;
    const std::string text = read_whole_file(entry.path());
    const std::string outcome = between(text, text);
    EXPECT_TRUE(outcome.empty() || outcome == "unreadable") << entry.path() << ": " << outcome;
    ++(outcome.empty() ? compared : unreadable);
  }
  EXPECT_GT(compared, 50U);
  EXPECT_LT(unreadable, compared) << "those of version 2.1 with soft line breaks, and broken ones";
}

}  // namespace
}  // namespace mailhold::vcard
