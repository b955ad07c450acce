#include "features/scanning/documents/old_office_text.h"

#include <gtest/gtest.h>

#include <bit>

#include "corpora.h"
#include "fakes/old_office_streams.h"
#include "features/scanning/documents/compound_file.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t plenty = 1U << 20;

struct Read {
  std::string text;
  bool whole;
};

template <class Add>
Read read_with(const Add& add, std::size_t bytes_max = plenty) {
  std::string text;
  TextWriter writer(text, bytes_max);
  const bool read = add(writer);
  const bool fits = writer.finish();
  return {text, read && fits};
}

Read of_word(const WordStreams& streams, std::size_t bytes_max = plenty) {
  return read_with([&](TextWriter& text) { return add_text_of_word(streams.document, streams.table, text); }, bytes_max);
}
Read of_excel(const std::string& workbook, std::size_t bytes_max = plenty) {
  return read_with([&](TextWriter& text) { return add_text_of_excel(workbook, text); }, bytes_max);
}
Read of_powerpoint(const std::string& slides, std::size_t bytes_max = plenty) {
  return read_with([&](TextWriter& text) { return add_text_of_powerpoint(slides, text); }, bytes_max);
}

std::string sample(const std::string& name) {
  return read_whole_file(std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/" + name);
}

TEST(OldOfficeTextTest, FilesOfARealProgramAreRead) {
  const std::pair<const char*, const char*> all[] = {
      {"words.doc",
       "Kreidefelsen und M\u00f6wen, chalk cliffs \u20ac 47.\n\u041f\u0440\u0438\u0432\u0435\u0442, a linked word.\ncellone\n"
       "celltwo\nend\nfootword\n"},
      {"words.xls", "Kreidefelsen\nM\u00f6wen \u041f\u0440\u0438\u0432\u0435\u0442\n471147\n0.25\n-3\n100000\n"},
      {"words.ppt", "*\n*\n*\n*\nKreidefelsen, chalk cliffs\nM\u00f6wen \u041f\u0440\u0438\u0432\u0435\u0442\nspeakernote\n"},
  };
  for (const auto& [name, text] : all) {
    const std::string file = sample(name);
    ASSERT_TRUE(is_old_office(file)) << name;
    const DocumentText document = text_of_old_office(file, plenty);
    EXPECT_TRUE(document.whole) << name;
    EXPECT_EQ(document.text, text) << name;
    // Wherever it breaks off, what is missing is known.
    for (std::size_t cut = 1; cut < 20; ++cut) {
      const DocumentText part = text_of_old_office(file.substr(0, file.size() * cut / 20), plenty);
      EXPECT_TRUE(!part.whole || part.text == text) << name << " at " << cut;
    }
    EXPECT_EQ(text_of_old_office(file, 10).text.size(), 10U);
    EXPECT_FALSE(text_of_old_office(file, 10).whole);
  }
}

TEST(OldOfficeTextTest, ADocumentIsPutTogetherOfItsPieces) {
  const Read read = of_word(word_streams({{"gull\x96s a"}, {utf16_bytes(u"m\u00f6we \xD83D\xDE00"), false}, {"\rlast"}}));
  EXPECT_EQ(read.text, "gull\u2013s am\u00f6we \U0001F600\nlast");
  EXPECT_TRUE(read.whole);
}

TEST(OldOfficeTextTest, OfAFieldItsResultIsRead) {
  EXPECT_EQ(of_word(word_streams({{"a \x13 HYPERLINK \x13 x \x14 y \x15 \x14link\x15 b\x07"
                                   "cell\x07 e\x1e"
                                   "f\x01"}}))
                .text,
            "a link b\ncell\n e-f");
  // One without an end hides no more than its paragraph.
  EXPECT_EQ(of_word(word_streams({{"a\x13 PAGE \rb\x14 c\x15"}})).text, "a\nb c");
}

TEST(OldOfficeTextTest, ADocumentThatIsEncryptedOlderOrDamagedIsNotRead) {
  constexpr std::uint32_t encrypted = 0x300;
  const Read closed = of_word(word_streams({{"secret"}}, encrypted));
  EXPECT_FALSE(closed.whole);
  EXPECT_EQ(closed.text, "");
  WordStreams streams = word_streams({{"text"}});
  EXPECT_EQ(table_of_word(streams.document), "1Table");
  EXPECT_TRUE(of_word(streams).whole);
  const auto with = [&](std::size_t at, char byte) {
    WordStreams changed = streams;
    changed.document[at] = byte;
    return of_word(changed).whole;
  };
  EXPECT_FALSE(with(0, '\xDC'));    // Word 6
  EXPECT_FALSE(with(76, '\x7F'));   // it says that it has more characters than its pieces
  EXPECT_FALSE(with(418, '\x08'));  // the table is elsewhere
  EXPECT_FALSE(with(423, '\x10'));  // and longer
  EXPECT_FALSE(of_word({streams.document.substr(0, streams.document.size() - 1), streams.table}).whole);
  EXPECT_FALSE(of_word({streams.document, streams.table.substr(0, streams.table.size() - 1)}).whole);
  EXPECT_FALSE(of_word({"", ""}).whole);
  // Pieces that are the same bytes again and again.
  std::vector<WordPiece> many(200, WordPiece{std::string(100, '\1')});
  streams = word_streams(many);
  ASSERT_TRUE(of_word(streams).whole);
  std::string again = streams.table;
  const std::size_t places = again.size() - many.size() * 8;
  for (std::size_t i = 1; i < many.size(); ++i) again.replace(places + i * 8, 8, again.substr(places, 8));
  EXPECT_TRUE(of_word({streams.document, again}).whole);
  EXPECT_FALSE(of_word({streams.document.substr(0, 2000), again}).whole);
}

std::string begin_of_workbook(unsigned version = 0x600) { return excel_record(0x809, little_endian_bytes(version, 2) + "\5\0"); }
const std::string end_of_workbook = excel_record(0x0A, "");

std::string double_bytes(double value) { return little_endian_bytes(std::bit_cast<std::uint64_t>(value), 8); }

TEST(OldOfficeTextTest, AStringGoesOnInTheNextRecordInAnotherWidth) {
  using namespace std::string_literals;
  // Two strings: one that is cut after "chal" and goes on wide, and one with formats and phonetics behind it that are cut as
  // well.
  const std::string first = little_endian_bytes(8, 2) + "\0"s + "chal";
  const std::string rest = "\1"s + utf16_bytes(u"kK\u00e9\u4e00");
  const std::string second =
      little_endian_bytes(3, 2) + "\x0C"s + little_endian_bytes(2, 2) + little_endian_bytes(5, 4) + "two" + "12345678" + "pho";
  const std::string strings = little_endian_bytes(2, 4) + little_endian_bytes(3, 4);
  const std::string third = "ne"s + little_endian_bytes(5, 2) + "\0three"s;
  const Read read = of_excel(begin_of_workbook() + excel_record(0xFC, strings + first) + excel_record(0x3C, rest + second) +
                             excel_record(0x3C, third) + end_of_workbook + std::string(6, '\0'));
  EXPECT_EQ(read.text, "chalkK\u00e9\u4e00\ntwo\nthree\n");
  EXPECT_TRUE(read.whole);
}

TEST(OldOfficeTextTest, CellsHaveTheirNumbersAndFormulasWhatTheyCameTo) {
  using namespace std::string_literals;
  const std::string place(6, '\0');
  const auto short_number = [](double value) { return little_endian_bytes(std::bit_cast<std::uint64_t>(value) >> 32U, 4); };
  const std::string whole_number = little_endian_bytes(static_cast<std::uint32_t>(-5 << 2) | 2U, 4);
  const Read read = of_excel(
      begin_of_workbook() + excel_record(0x203, place + double_bytes(471147)) + excel_record(0x203, place + double_bytes(0.1)) +
      excel_record(0x27E, place + whole_number) +
      excel_record(0xBD, "\0\0\0\0"s + "xf" + short_number(1.5) + "xf" + little_endian_bytes(1234U << 2U | 3U, 4) + "\1\0"s) +
      excel_record(6, place + double_bytes(2.5e30) + "rest") + excel_record(6, place + "\0\0\0\0\0\0\xff\xff"s) +
      excel_record(0x207, little_endian_bytes(4, 2) + "\0made"s) +
      excel_record(0x1B6, std::string(10, '\0') + little_endian_bytes(4, 2) + std::string(6, '\0')) +
      excel_record(0x3C, "\0note"s) + excel_record(0x3C, "formats") + end_of_workbook);
  EXPECT_EQ(read.text, "471147\n0.1\n-5\n1.5\n12.34\n2.5e+30\nmade\nnote\n");
  EXPECT_TRUE(read.whole);
}

TEST(OldOfficeTextTest, AWorkbookOfExcel5HasItsCodePage) {
  const Read read =
      of_excel(begin_of_workbook(0x500) + excel_record(0x42, little_endian_bytes(1251, 2)) +
               excel_record(0x204, std::string(6, '\0') + little_endian_bytes(4, 2) + "\xcc\xe8\xf0!") + end_of_workbook);
  EXPECT_EQ(read.text, "\u041c\u0438\u0440!\n");
  EXPECT_TRUE(read.whole);
}

TEST(OldOfficeTextTest, AWorkbookThatIsEncryptedOlderOrDamagedIsNotRead) {
  using namespace std::string_literals;
  const std::string number = excel_record(0x203, std::string(6, '\0') + double_bytes(47));
  ASSERT_TRUE(of_excel(begin_of_workbook() + number + end_of_workbook).whole);
  EXPECT_FALSE(of_excel(begin_of_workbook() + excel_record(0x2F, "\1\0"s) + number + end_of_workbook).whole);
  EXPECT_FALSE(of_excel(begin_of_workbook(0x400) + number + end_of_workbook).whole);
  EXPECT_FALSE(of_excel(begin_of_workbook() + number).whole);  // no end
  EXPECT_FALSE(of_excel(begin_of_workbook() + number + end_of_workbook.substr(0, 3)).whole);
  EXPECT_FALSE(of_excel("").whole);
  // Behind the end of a part stand other parts or zeros.
  EXPECT_TRUE(of_excel(begin_of_workbook() + end_of_workbook + begin_of_workbook() + number + end_of_workbook).whole);
  EXPECT_FALSE(of_excel(begin_of_workbook() + end_of_workbook + excel_record(0, "") + number + end_of_workbook).whole);
  // More strings, and longer ones, than there are.
  const std::string counts = little_endian_bytes(0xFFFFFFFF, 4) + little_endian_bytes(0xFFFFFFFF, 4);
  const Read read = of_excel(begin_of_workbook() + excel_record(0xFC, counts + "\2\0\0ab"s + "\xff\xff\1x"s) + end_of_workbook);
  EXPECT_EQ(read.text, "ab\n");
  EXPECT_FALSE(read.whole);
  EXPECT_FALSE(of_excel(begin_of_workbook() + number + number + end_of_workbook, 4).whole);
}

constexpr unsigned holder = 0x0F;

TEST(OldOfficeTextTest, SlidesHaveTheirTextsAndNotThoseOfTheirMaster) {
  using namespace std::string_literals;
  const std::string bytes = powerpoint_record(0, 0xFA8, "tit\xe9\rsecond\x0bline");
  const std::string units = powerpoint_record(0, 0xFA0, utf16_bytes(u"m\u00f6we"));
  const std::string name = powerpoint_record(0, 0xFBA, utf16_bytes(u"a name"));
  const std::string slides = powerpoint_record(holder, 0x3F8, powerpoint_record(0, 0xFA8, "click to edit")) +
                             powerpoint_record(holder | 0x10, 0xFF0, powerpoint_record(0, 0xFA8, "of the master")) +
                             powerpoint_record(holder, 0xFF0, bytes) + powerpoint_record(holder, 0x3EE, units + name) +
                             powerpoint_record(holder, 0x2EE0, powerpoint_record(0, 0xFBA, utf16_bytes(u"a comment"))) + name;
  const Read read = of_powerpoint(slides);
  EXPECT_EQ(read.text, "tit\u00e9\nsecond\nline\nm\u00f6we\na comment\n");
  EXPECT_TRUE(read.whole);
  EXPECT_FALSE(of_powerpoint(slides.substr(0, slides.size() - 1)).whole);
  EXPECT_FALSE(of_powerpoint("").whole);
  EXPECT_FALSE(of_powerpoint(slides, 5).whole);
  const std::string user = std::string(12, '\0') + little_endian_bytes(0xE391C05F, 4);
  EXPECT_TRUE(text_of_old_office(compound_file({{"PowerPoint Document", slides}, {"Current User", user}}), plenty).whole);
  const std::string of_encrypted = std::string(12, '\0') + little_endian_bytes(0xF3D1C4DF, 4);
  const DocumentText closed =
      text_of_old_office(compound_file({{"PowerPoint Document", slides}, {"Current User", of_encrypted}}), plenty);
  EXPECT_EQ(closed.text, "");
  EXPECT_FALSE(closed.whole);
}

TEST(CompoundFileTest, StreamsOfAnySizeAreFoundByName) {
  std::string large;
  while (large.size() < 200'000) large += std::to_string(large.size());
  const std::string small(1000, 's'), bytes = compound_file({{"small", small}, {"large", large}, {"empty", ""}});
  const auto file = CompoundFile::open(bytes);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->stream("small"), small);
  EXPECT_EQ(file->stream("large"), large);
  EXPECT_EQ(file->stream("empty"), "");
  EXPECT_FALSE(file->stream("none"));
  EXPECT_FALSE(text_of_old_office(bytes, plenty).whole);  // of another program
}

TEST(CompoundFileTest, TheTableOfALargeFileIsFoundInFurtherSectors) {
  std::string large;
  while (large.size() < 20U << 20) large += std::to_string(large.size());
  const std::string bytes = compound_file({{"large", large}});
  EXPECT_TRUE(CompoundFile::open(bytes)->stream("large") == large);
}

TEST(CompoundFileTest, ChainsThatTurnOrLeaveTheFileEnd) {
  const std::string bytes = compound_file({{"large", std::string(20'000, 'x')}});
  ASSERT_TRUE(CompoundFile::open(bytes));
  const std::size_t table = bytes.size() - 512;
  for (const std::uint32_t next : {0U, 5U, 1000U, 0xFFFFFFF0U}) {
    std::string changed = bytes;
    changed.replace(table + 20, 4, little_endian_bytes(next, 4));
    const auto file = CompoundFile::open(changed);
    ASSERT_TRUE(file);
    EXPECT_FALSE(file->stream("large")) << next;
  }
  // A table that lies in itself, a directory that is its own sibling, and sectors of a size that no version has.
  std::string changed = bytes;
  changed.replace(68, 4, little_endian_bytes((bytes.size() - 512) / 512 - 1, 4));
  (void)CompoundFile::open(changed);  // whatever it finds, it ends
  const std::size_t directory = 512 * (1 + std::size_t{static_cast<unsigned char>(bytes[48])});
  changed = bytes;
  changed.replace(directory + 128 + 72, 4, little_endian_bytes(1, 4));
  EXPECT_TRUE(CompoundFile::open(changed)->stream("large"));
  for (const char bits : {'\0', '\7', '\x3F'}) {
    changed = bytes;
    changed[30] = bits;
    EXPECT_FALSE(CompoundFile::open(changed));
  }
  for (std::size_t size : {0U, 8U, 511U, 512U, 1024U}) EXPECT_FALSE(CompoundFile::open(std::string_view(bytes).substr(0, size)));
}

TEST(OldOfficeTextTest, FilesOfOtherProgramsAreReadAndEncryptedOnesKnown) {
  CORPUS_OR_RETURN(folder, "office-docs-harmless");
  const std::pair<const char*, const char*> known[] = {
      {"oletools/msodde/harmless-clean.doc", "slightly interesting, however, we add some \u00fcnic\u00f6"},
      {"tika/testWORD_macros.doc", "The quick brown fox"},
      {"poi/document/SimpleMacro.doc", "macro"},
      {"poi/spreadsheet/SimpleMacro.xls", "macro"},
      {"oletools/oleobj/embedded-simple-2007.xls", ""},
      {"oletools/oleobj/embedded-simple-2007.ppt", ""},
      {"oletools/excel4-macros/excel4_sample_macro_excel5_format.xls", ""},
  };
  std::chrono::steady_clock::duration taken{};
  for (const auto& [name, words] : known) {
    const std::string file = read_whole_file(folder / name);
    const auto begin = std::chrono::steady_clock::now();
    const DocumentText document = text_of_old_office(file, plenty);
    taken += std::chrono::steady_clock::now() - begin;
    EXPECT_TRUE(document.whole) << name;
    EXPECT_NE(document.text.find(words), std::string::npos) << name << ": " << document.text;
  }
  std::printf("an older office file: %.2f ms\n", std::chrono::duration<double, std::milli>(taken).count() / std::size(known));
  for (const char* name :
       {"oletools/encrypted/encrypted.doc", "oletools/encrypted/encrypted.xls", "oletools/encrypted/encrypted.ppt",
        "oletools/encrypted/encrypted.docx", "poi/document/PasswordProtected.doc"}) {
    const DocumentText document = text_of_old_office(read_whole_file(folder / name), plenty);
    EXPECT_FALSE(document.whole) << name;
    EXPECT_EQ(document.text, "") << name;
  }
}

}  // namespace
}  // namespace mailhold::scanning
