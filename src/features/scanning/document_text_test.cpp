// Documents of a message, archives of them above all: what is read, and what is known not to have been.
#include "features/scanning/document_text.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <ctime>

#include "corpora.h"
#include "fakes/old_office_streams.h"
#include "fakes/stored_zip.h"
#include "fakes/tar_archive.h"
#include "features/scanning/documents/archive.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t plenty = 1U << 20;

class PdfOfOneWord final : public DocumentPrograms {
 public:
  DocumentText read_pdf(std::string_view, std::size_t) override {
    ++asked;
    return {"chalk\n", true};
  }
  int asked = 0;
};

class DocumentTextTest : public testing::Test {
 protected:
  DocumentText read(const std::string& bytes, const std::string& name = "attached.zip", std::size_t bytes_max = plenty) {
    Documents documents(&programs_);
    const auto read = documents.read(bytes, name, bytes_max);
    EXPECT_TRUE(read);
    return read.value_or(DocumentText());
  }
  bool is_whole(const std::string& bytes) { return read(bytes).whole; }

  PdfOfOneWord programs_;
};

// As zlib has it. Windows below zero: without a header, what an entry of ZIP holds.
std::string deflated(const std::string& bytes, int window) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return out;
}
std::string gzip(const std::string& bytes) { return deflated(bytes, MAX_WBITS + 16); }

std::string packed_zip(const std::string& name, const std::string& bytes, char method = 8) {
  std::string archive = stored_zip({{name, deflated(bytes, -MAX_WBITS)}});
  archive[8] = method;
  const std::size_t directory = archive.rfind("PK\1\2");
  archive[directory + 10] = method;
  archive.replace(directory + 16, 4,
                  little_endian_bytes(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()), 4));
  return archive;
}

TEST_F(DocumentTextTest, OfAnArchiveNamesAreReadAndWhatIsText) {
  const std::string office = stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>of office</t></p></d>"}});
  const DocumentText document = read(stored_zip({{"plans/", ""},
                                                 {"plans/notes.txt", "soup\xc3\xa9"},
                                                 {"a.pdf", "%PDF-1.4"},
                                                 {"b.docx", office},
                                                 {"c.rtf", "{\\rtf1 rich}"},
                                                 {"gr\x81n.csv", "x;\xfc"},
                                                 {"../../etc/passwd", "root:x"},
                                                 {"page.html", "<p>seen</p><script>unseen</script>"},
                                                 {"utf16.txt", std::string("\xff\xfe\x61\0\xe4\0", 6)},
                                                 {"empty.txt", ""},
                                                 {"picture.jpg", std::string(100'000, '\xff')}}));
  EXPECT_EQ(
      document.text.substr(0, document.text.find("page.html")),
      "plans/notes.txt\nsoup\u00e9\na.pdf\nchalk\nb.docx\nof office\nc.rtf\nrich\ngr\u00fcn.csv\nx;\u00fc\n../../etc/passwd\n");
  EXPECT_NE(document.text.find("seen\n"), std::string::npos);
  EXPECT_EQ(document.text.find("unseen"), std::string::npos);
  EXPECT_NE(document.text.find("a\u00e4\nempty.txt\npicture.jpg\n"), std::string::npos) << document.text;
  EXPECT_TRUE(document.whole);
}

TEST_F(DocumentTextTest, ADocumentThatIsStoredInsideIsNotTheArchive) {
  // Its parts lie in the archive as they are, directory and all.
  const std::string inner = stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>inner</t></p></d>"}});
  const std::string outer =
      stored_zip({{"one.docx", inner}, {"two.zip", stored_zip({{"three.txt", "deep"}})}, {"four.txt", "last"}});
  const DocumentText document = read(outer);
  EXPECT_EQ(document.text, "one.docx\ninner\ntwo.zip\nthree.txt\ndeep\nfour.txt\nlast\n");
  EXPECT_TRUE(document.whole);
  const DocumentText tar = read(tar_archive({{"one.docx", inner}, {"four.txt", "last"}}));
  EXPECT_EQ(tar.text, "one.docx\ninner\nfour.txt\nlast\n");
  EXPECT_TRUE(tar.whole);
}

TEST_F(DocumentTextTest, APathAsInAnOfficeFileHidesNothing) {
  const std::string part = "<d><p><t>body</t></p></d>";
  EXPECT_EQ(
      read(stored_zip({{"word/document.xml", part}, {"secret.pdf", "%PDF-"}, {"x.zip", stored_zip({{"a.txt", "deep"}})}})).text,
      "word/document.xml\nbody\nsecret.pdf\nchalk\nx.zip\na.txt\ndeep\n");
}

TEST_F(DocumentTextTest, TarAndGzipAreReadAlsoTogether) {
  const std::string tar =
      tar_archive({{"a.txt", "one"}, {"b/" + std::string(120, 'n') + ".txt", std::string(600, 'x') + " two"}});
  for (const std::string& archive : {tar, gzip(tar)}) {
    const DocumentText document = read(archive, "a.tar");
    EXPECT_TRUE(document.whole);
    EXPECT_TRUE(document.text.starts_with("a.txt\none\n") || document.text.find("\na.txt\none\n") != std::string::npos)
        << document.text;
    EXPECT_NE(document.text.find("b/" + std::string(120, 'n') + ".txt\nxxx"), std::string::npos);
    EXPECT_TRUE(document.text.ends_with(" two\n"));
  }
  EXPECT_EQ(read(gzip("a,b") + gzip(",c"), "figures.csv.gz").text, "figures.csv\na,b,c\n");
  EXPECT_EQ(read(gzip("no text by its name"), "figures.gz").text, "figures\n");
  // Each goes on where the one before it ended, also where that is the end of what was made ready.
  const std::string large(64U << 10, 'x');
  EXPECT_EQ(read(gzip("") + gzip(large) + gzip("") + gzip("end"), "a.txt.gz").text, "a.txt\n" + large + "end\n");
  // ZIP of a packed tar: no deeper than a ZIP of a ZIP.
  EXPECT_EQ(read(stored_zip({{"x.tgz", gzip(tar_archive({{"a.txt", "one"}}))}})).text, "x.tgz\nx\na.txt\none\n");
}

TEST_F(DocumentTextTest, WhatIsEncryptedBrokenOrNotReadIsKnown) {
  const std::string good = stored_zip({{"a.txt", "text"}, {"b.bin", "bytes"}});
  ASSERT_TRUE(is_whole(good));
  std::string encrypted = good;
  encrypted[encrypted.rfind("PK\1\2") + 8] = 1;
  const DocumentText document = read(encrypted);
  EXPECT_EQ(document.text, "a.txt\ntext\nb.bin\n");
  EXPECT_FALSE(document.whole);
  EXPECT_FALSE(is_whole(packed_zip("a.txt", "text", 12)));             // bzip2 inside
  EXPECT_FALSE(is_whole(good.substr(0, good.size() - 1)));             // cut off
  EXPECT_FALSE(is_whole(good.substr(0, good.find("PK\1\2"))));         // without a directory
  EXPECT_FALSE(is_whole(stored_zip({{"a.docx", "PK\3\4 no more"}})));  // what is inside is broken
  EXPECT_FALSE(is_whole(stored_zip({{"a.rar", "Rar!\x1a\x07"}})));
  EXPECT_FALSE(is_whole(std::string("7z\xBC\xAF\x27\x1C", 6)));
  EXPECT_FALSE(
      is_whole(stored_zip({{"[Content_Types].xml", ""}, {"xl/workbook.bin", "x"}})));  // an office file of a kind unknown
  ASSERT_TRUE(is_whole(packed_zip("a.txt", "text")));
  std::string damaged = packed_zip("a.txt", "text");
  damaged[damaged.rfind("PK\1\2") + 16] ^= 1;  // its checksum
  EXPECT_FALSE(is_whole(damaged));
  const std::string packed = gzip("packed text");
  EXPECT_FALSE(is_whole(packed.substr(0, packed.size() - 1)));
  std::string changed = packed;
  changed[packed.size() - 8] = static_cast<char>(changed[packed.size() - 8] ^ 1);  // its checksum
  EXPECT_FALSE(is_whole(changed));
  const std::string tar = tar_archive({{"a.txt", "one"}});
  EXPECT_TRUE(is_whole(tar));
  EXPECT_FALSE(is_whole(tar.substr(0, 1024)));  // without its end
  EXPECT_FALSE(is_whole(tar.substr(0, 514)));
  changed = tar;
  changed[0] = 'b';
  EXPECT_FALSE(is_whole(changed));  // its checksum
}

TEST_F(DocumentTextTest, ArchivesAreOpenedTwoDeep) {
  const std::string one = stored_zip({{"a.txt", "deepest"}}), two = stored_zip({{"1.zip", one}}),
                    three = stored_zip({{"2.zip", two}});
  EXPECT_EQ(read(two).text, "1.zip\na.txt\ndeepest\n");
  EXPECT_TRUE(is_whole(two));
  EXPECT_EQ(read(three).text, "2.zip\n1.zip\n");
  EXPECT_FALSE(is_whole(three));
  EXPECT_FALSE(is_whole(gzip(gzip(gzip("x")))));
}

TEST_F(DocumentTextTest, NothingGrowsWithoutEnd) {
  EXPECT_TRUE(is_whole(packed_zip("a.txt", std::string(60'000, 'x'))));
  // More than two hundred times what it was, of one member; and of all together.
  DocumentText document = read(packed_zip("a.bin", std::string(30U << 20, 'x')));
  EXPECT_TRUE(document.whole);  // what holds no text is not unpacked
  document = read(packed_zip("a.txt", std::string(30U << 20, 'x')));
  EXPECT_FALSE(document.whole);
  EXPECT_FALSE(read(gzip(std::string(30U << 20, 'x')), "a.txt.gz").whole);
  // Also where the directory says that it is packed into more than there is.
  std::string lying = packed_zip("a.pdf", "%PDF-" + std::string(20U << 20, 'x'));
  lying.replace(lying.rfind("PK\1\2") + 20, 4, little_endian_bytes(0xFFFFFFFF, 4));
  programs_.asked = 0;
  EXPECT_FALSE(is_whole(lying));
  EXPECT_EQ(programs_.asked, 0);
  std::vector<std::pair<std::string, std::string>> many(2048, {"a.bin", "x"});
  EXPECT_TRUE(is_whole(stored_zip(many)));
  many.emplace_back("b.txt", "the last");
  document = read(stored_zip(many));
  EXPECT_FALSE(document.whole);
  EXPECT_EQ(document.text.find("the last"), std::string::npos);
  EXPECT_FALSE(is_whole(tar_archive(many)));
  // One entry that is listed again and again costs what it unpacks to each time.
  std::string large;
  for (std::uint64_t i = 0; large.size() < 4U << 20; ++i) large += std::to_string(i * 7919) + '\n';
  const std::string archive = packed_zip("a.pdf", "%PDF-" + large);
  const std::size_t directory = archive.rfind("PK\1\2"), end = archive.rfind("PK\5\6");
  std::string bomb = archive.substr(0, directory);
  for (int i = 0; i < 100; ++i) bomb += archive.substr(directory, end - directory);
  bomb += archive.substr(end, 10) + '\x64' + archive.substr(end + 11);
  programs_.asked = 0;
  EXPECT_FALSE(is_whole(bomb));
  EXPECT_EQ(programs_.asked, 15);  // 64 MiB
  // So many documents, and so many of them read by programs.
  const std::vector<std::pair<std::string, std::string>> pages(40, {"a.pdf", "%PDF-"});
  programs_.asked = 0;
  EXPECT_FALSE(is_whole(stored_zip(pages)));
  EXPECT_EQ(programs_.asked, 32);
  // More text than is wanted.
  document = read(stored_zip({{"a.txt", std::string(1000, 'x')}, {"b.txt", "behind"}}), "", 100);
  EXPECT_EQ(document.text.size(), 100U);
  EXPECT_FALSE(document.whole);
  EXPECT_FALSE(read(stored_zip({{std::string(1000, 'n'), "x"}, {"b.txt", "behind"}}), "", 100).whole);
}

TEST_F(DocumentTextTest, TheLimitsHoldForAllDocumentsOfAMessage) {
  const std::vector<std::pair<std::string, std::string>> as_many_as_allowed(2048, {"a.bin", "x"});
  Documents documents(&programs_);
  EXPECT_TRUE(documents.read(stored_zip(as_many_as_allowed), "a.zip", plenty)->whole);
  const std::string behind[] = {gzip("packed"), stored_zip({{"b.txt", "zipped"}}), tar_archive({{"b.txt", "in tar"}}),
                                stored_zip(as_many_as_allowed)};
  for (const std::string& archive : behind) {
    const auto document = documents.read(archive, "b.txt.gz", plenty);
    ASSERT_TRUE(document);
    EXPECT_EQ(document->text, "");
    EXPECT_FALSE(document->whole);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
// As large as a document may be, and as much work as its format allows: a worker has five seconds of a processor for a message.
TEST_F(DocumentTextTest, TheWorstOfEachKindEndsInTime) {
  constexpr std::size_t most = 32U << 20;
  const auto filled = [](std::string begin, const std::string& piece, const std::string& end = "") {
    while (begin.size() + piece.size() + end.size() < most) begin += piece;
    return begin + end;
  };
  const std::string header = excel_record(0x809, little_endian_bytes(0x600, 2) + "\5");
  const std::string strings = excel_record(0xFC, little_endian_bytes(0xFFFFFFFF, 4) + little_endian_bytes(0xFFFFFFFF, 4));
  // Each name is that of the directory, and of its headers there are a million.
  const std::string lengths = std::string(22, 'x') + "\xff\xff" + "xx", one_header = "PK\3\4" + lengths;
  const std::string directory = one_header + "PK\1\2xx" + lengths + std::string(14, 'x');
  const std::string page = filled("", "<b a=x>&amp;").substr(0, 4U << 20);
  const std::vector<std::pair<std::string, std::string>> pages(7, {"a.html", page});
  const std::pair<const char*, std::string> all[] = {
      {"rich text of words", filled("{\\rtf1", "\\b")},
      {"rich text of groups", filled("{\\rtf1", "{\\v x}")},
      {"rich text of characters in two ways", filled("{\\rtf1", "\\u65 \\'e4")},
      {"workbook of continuations",
       compound_file({{"Workbook", filled(header + strings, excel_record(0x3C, "")).substr(0, 31U << 20)}})},
      {"workbook of empty strings",
       compound_file({{"Workbook", filled(header + strings, excel_record(0x3C, std::string(8190, '\0'))).substr(0, 31U << 20)}})},
      {"archive of headers", filled("PK\3\4", std::string("PK\3\4PK\1\2"))},
      {"archive of names over names", filled(directory, one_header)},
      {"archive of pages", stored_zip(pages)},
      {"packed files with nothing in them", filled(gzip("%PDF-" + std::string(10U << 20, '\0')), gzip(""))},
      {"office file of elements",
       stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", filled("", "<p/>").substr(0, 15U << 20)}})},
  };
  for (const auto& [name, bytes] : all) {
    const std::clock_t begin = std::clock();
    (void)read(bytes);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    std::printf("%s: %.2f s\n", name, seconds);
    EXPECT_LT(seconds, 5) << name;
  }
}
#endif

TEST_F(DocumentTextTest, WithoutProgramsNothingIsLookedInto) {
  Documents none(nullptr);
  for (const std::string& bytes : {stored_zip({{"a.txt", "x"}}), gzip("x"), std::string("{\\rtf1 x}"), std::string("%PDF-1.4")}) {
    const auto document = none.read(bytes, "", plenty);
    ASSERT_TRUE(document);
    EXPECT_EQ(document->text, "");
    EXPECT_FALSE(document->whole);
  }
  EXPECT_FALSE(none.read("plain bytes", "", plenty));
}

TEST_F(DocumentTextTest, ArchivesOfOtherProgramsAreRead) {
  CORPUS_OR_RETURN(folder, "mox-testdata");
  const DocumentText tar = read(read_whole_file(folder / "testdata/importtest.maildir.tgz"), "importtest.maildir.tgz");
  EXPECT_TRUE(tar.whole);
  EXPECT_NE(tar.text.find("\nmaildir/cur/"), std::string::npos) << tar.text;
  EXPECT_TRUE(is_whole(read_whole_file(folder / "testdata/importtest.mbox.zip")));
  const DocumentText encrypted = read(read_whole_file(corpora_root() / "tika-mail-crypto/testZipEncrypted.zip"));
  EXPECT_FALSE(encrypted.whole);
  EXPECT_NE(encrypted.text, "");
}

}  // namespace
}  // namespace mailhold::scanning
