#include "features/scanning/documents/office_text.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "corpora.h"
#include "fakes/stored_zip.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t plenty = 1U << 20;

std::optional<DocumentText> read(const std::string& archive, std::size_t bytes_max = plenty) {
  std::size_t unpacked_left = 64U << 20;
  return text_of_office(archive, bytes_max, unpacked_left);
}

std::string of_markup(std::string xml, OfficeMarkup markup = OfficeMarkup::open_xml) {
  std::string text;
  EXPECT_TRUE(add_text_of_markup(xml, markup, text, plenty)) << xml;
  return text;
}

TEST(OfficeTextTest, AWordOfADocumentStaysOneThroughItsRuns) {
  EXPECT_EQ(of_markup("<w:document xmlns:w='x'><w:body><w:p><w:r><w:t>Krei</w:t></w:r><w:r><w:t>de</w:t></w:r>"
                      "<w:r><w:t xml:space='preserve'> </w:t><w:t>&amp; chalk</w:t><w:tab/><w:t>end</w:t></w:r></w:p>"
                      "<w:p><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del><w:r><w:t>next</w:t></w:r></w:p>"
                      "<mc:AlternateContent><mc:Choice><w:p><w:t>new</w:t></w:p></mc:Choice>"
                      "<mc:Fallback><w:p><w:t>old</w:t></w:p></mc:Fallback></mc:AlternateContent>"
                      "</w:body></w:document>"),
            "Kreide & chalk\nend\nnext\nnew\n");
}

TEST(OfficeTextTest, ACellHasItsTextOrNumber) {
  EXPECT_EQ(of_markup("<worksheet><sheetData><row><c r='A1' t='s'><v>0</v></c><c r='B1'><v>4711</v></c>"
                      "<c r='C1' t='inlineStr'><is><r><t>in</t></r><r><t>line</t></r></is></c>"
                      "<c r='D1' t='str'><f>A1&amp;B1</f><v>made</v></c></row></sheetData></worksheet>"),
            "4711\ninline\nmade\n");
  EXPECT_EQ(of_markup("<sst><si><t>one</t></si><si><r><t>tw</t></r><r><t>o</t></r><rPh><t>spoken</t></rPh></si></sst>"),
            "one\ntwo\n");
}

TEST(OfficeTextTest, AnOpenDocumentHasWhatItsReaderSees) {
  EXPECT_EQ(
      of_markup(
          "<office:document-content><office:automatic-styles>style</office:automatic-styles><office:body><office:text>"
          "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
          "<text:h>Head</text:h><text:p>Gr<text:span>\xc3\xb6\xc3\x9f</text:span>e<text:s/>two<text:line-break/>three</text:p>"
          "</office:text></office:body></office:document-content>",
          OfficeMarkup::open_document),
      "Head\nGr\xc3\xb6\xc3\x9f"
      "e\ntwo\nthree\n");
}

TEST(OfficeTextTest, PartsWithTextAreReadAndNoOthers) {
  const auto document = read(stored_zip({{"[Content_Types].xml", "<t>types</t>"},
                                         {"word/document.xml", "<d><p><t>body</t></p></d>"},
                                         {"word\\Header1.xml", "<d><p><t>header</t></p></d>"},
                                         {"word/styles.xml", "<d><t>style</t></d>"},
                                         {"word/theme/document.xml", "<d><t>theme</t></d>"},
                                         {"docProps/core.xml", "<d><t>core</t></d>"}}));
  ASSERT_TRUE(document);
  EXPECT_TRUE(document->whole);
  EXPECT_EQ(document->text, "body\nheader\n");
  const auto slides = read(stored_zip({{"[Content_Types].xml", ""},
                                       {"ppt/slides/slide1.xml", "<d><p><t>slide</t></p></d>"},
                                       {"ppt/notesSlides/notesSlide1.xml", "<d><p><t>note</t></p></d>"},
                                       {"ppt/slideLayouts/slideLayout1.xml", "<d><p><t>click to edit</t></p></d>"}}));
  ASSERT_TRUE(slides);
  EXPECT_EQ(slides->text, "slide\nnote\n");
  const auto open = read(stored_zip({{"mimetype", "application/vnd.oasis.opendocument.text"},
                                     {"content.xml", "<d><p>body</p></d>"},
                                     {"styles.xml", "<d><p>footer</p></d>"},
                                     {"meta.xml", "<d><p>meta</p></d>"}}));
  ASSERT_TRUE(open);
  EXPECT_EQ(open->text, "body\nfooter\n");
  EXPECT_FALSE(read(stored_zip({{"readme.txt", "<t>text</t>"}, {"content.xml", "<d><p>x</p></d>"}})));
  // An archive with one path as in an office file is an archive.
  EXPECT_FALSE(read(stored_zip({{"word/document.xml", "<d><p><t>x</t></p></d>"}, {"secret.pdf", "%PDF-"}})));
  EXPECT_FALSE(read(stored_zip({{"mimetype", "application/zip"}, {"word/document.xml", "<d><p><t>x</t></p></d>"}})));
  EXPECT_TRUE(read(stored_zip({{"[CONTENT_TYPES].XML", ""}, {"word/document.xml", "<d><p><t>x</t></p></d>"}})));
  EXPECT_FALSE(read("PK\3\4"));
}

TEST(OfficeTextTest, WhatDoesNotOpenLeavesTheRest) {
  const auto document = read(stored_zip(
      {{"[Content_Types].xml", ""}, {"word/document.xml", "not XML"}, {"word/footer1.xml", "<d><p><t>footer</t></p></d>"}}));
  ASSERT_TRUE(document);
  EXPECT_FALSE(document->whole);
  EXPECT_EQ(document->text, "footer\n");
  std::string encrypted = stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>body</t></p></d>"}});
  encrypted[encrypted.rfind("PK\1\2") + 8] |= 1;
  const auto closed = read(encrypted);
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->whole);
  EXPECT_EQ(closed->text, "");
}

// As zlib has it, without a header: what an entry holds.
std::string deflated(const std::string& bytes) {
  std::string out(::compressBound(bytes.size()), '\0');
  uLongf size = out.size();
  EXPECT_EQ(
      ::compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 9),
      Z_OK);
  return out.substr(2, size - 6);
}

std::string packed_zip(const std::string& name, const std::string& bytes) {
  std::string archive = stored_zip({{name, deflated(bytes)}, {"[Content_Types].xml", ""}});
  constexpr char deflate = 8;
  archive[8] = deflate;
  archive[archive.find("PK\1\2") + 10] = deflate;
  return archive;
}

TEST(OfficeTextTest, NothingGrowsWithoutEnd) {
  const std::string paragraph = "<p><t>word</t></p>";
  std::string many = "<d>";
  for (int i = 0; i < 1000; ++i) many += "<p><t>word" + std::to_string(i * i) + "</t></p>";
  EXPECT_TRUE(read(packed_zip("word/document.xml", many + "</d>"))->whole);
  // Grows to more than two hundred times what it was.
  std::string bomb = "<d>";
  while (bomb.size() < 12U << 20) bomb += paragraph;
  auto document = read(packed_zip("word/document.xml", bomb + "</d>"));
  ASSERT_TRUE(document);
  EXPECT_FALSE(document->whole);
  // More text than is wanted, a budget that is used up, and too deep.
  document = read(packed_zip("word/document.xml", many + "</d>"), 100);
  EXPECT_FALSE(document->whole);
  EXPECT_EQ(document->text.size(), 100U);
  std::size_t unpacked_left = 1000;
  document = text_of_office(packed_zip("word/document.xml", many + "</d>"), plenty, unpacked_left);
  EXPECT_FALSE(document->whole);
  EXPECT_EQ(unpacked_left, 0U);
  std::string deep, text;
  for (int i = 0; i < 100'000; ++i) deep += "<p>";
  for (int i = 0; i < 100'000; ++i) deep += "</p>";
  EXPECT_FALSE(add_text_of_markup(deep, OfficeMarkup::open_xml, text, plenty));
  std::string entities = "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'><!ENTITY b '&a;&a;'>]><d><t>&b;&a;</t></d>";
  EXPECT_TRUE(add_text_of_markup(entities, OfficeMarkup::open_xml, text, plenty));
  EXPECT_EQ(text, "&b;&a;");
}

TEST(OfficeTextTest, FilesOfRealProgramsAreRead) {
  CORPUS_OR_RETURN(folder, "office-docs-harmless");
  const std::pair<const char*, const char*> known[] = {
      {"oletools/msodde/harmless-clean.docx", "slightly interesting, however, we add some \xc3\xbcnic\xc3\xb6"},
      {"tika/testWORD_macros.docm", "The quick brown fox."},
      {"tika/testODTMacro.odt", "Just one little click"},
      {"oletools/msodde/dde-test.xlsx", "Long live open source!"},
  };
  for (const auto& [name, words] : known) {
    const auto document = read(read_whole_file(folder / name));
    ASSERT_TRUE(document) << name;
    EXPECT_TRUE(document->whole) << name;
    EXPECT_NE(document->text.find(words), std::string::npos) << name << ": " << document->text;
  }
}

}  // namespace
}  // namespace mailhold::scanning
