#include "features/scanning/extract.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "features/scanning/extract_messages.h"

namespace mailhold::scanning {
namespace {

TEST(ExtractTest, WhatAReaderSeesIsText) {
  const ExtractedText text = extract_text(
      "From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\r\nTo: bob@b.example, Eve <eve@c.example>\r\nCc: dan@d.example\r\n"
      "Subject: =?iso-8859-1?q?Gr=FC=DFe?= again\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "<style>p { color: red }</style><p>Gr=F6=DFe<b>n</b>wahn &amp; mehr</p><!-- hidden --><script>var x = "
      "1</script><td>end</td>\r\n"
      "--b\r\nContent-Type: text/plain; name=notes.txt\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: "
      "base64\r\n\r\n"
      "YXR0YWNoZWQgd29yZHM=\r\n"
      "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: in@e.example\r\n\r\ninside\r\n"
      "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; "
      "filename*=utf-8''Pl%C3%A4ne.pdf\r\n\r\n%PDF-1.4\r\n--b--\r\n");
  EXPECT_EQ(text.senders, "Jürgen <j@a.example>\n");
  EXPECT_EQ(text.recipients, "bob@b.example, Eve <eve@c.example>\ndan@d.example\n");
  EXPECT_EQ(text.subject, "Grüße again\n");
  EXPECT_NE(text.body.find("Größenwahn & mehr\n"), std::string::npos) << text.body;
  EXPECT_NE(text.body.find("end"), std::string::npos);
  EXPECT_NE(text.body.find("inner\n"), std::string::npos);
  EXPECT_NE(text.body.find("inside"), std::string::npos);
  for (const char* unseen : {"color", "hidden", "var x", "attached"})
    EXPECT_EQ(text.body.find(unseen), std::string::npos) << unseen;
  EXPECT_EQ(text.attachment_names, "notes.txt\nPläne.pdf\n");
  EXPECT_EQ(text.attachment_text, "attached words\n");
  EXPECT_TRUE(text.has_attachment);
  EXPECT_FALSE(text.complete);
  EXPECT_EQ(text.documents_unread, 1U);  // nobody read the PDF
}

class OneWord final : public DocumentPrograms {
 public:
  DocumentText read_pdf(std::string_view document, std::size_t bytes_max) override {
    ++asked;
    given = document;
    return {std::string("word\x01\xff of it").substr(0, bytes_max), true};
  }
  int asked = 0;
  std::string given;
};

TEST(ExtractTest, DocumentsAreToldByWhatIsInThem) {
  OneWord programs;
  const auto of = [&](const std::string& type, const std::string& bytes) {
    return extract_text("Content-Type: " + type + "\r\n\r\n" + bytes, &programs);
  };
  ExtractedText text = of("application/octet-stream", "\r\n%PDF-1.7 rest");
  EXPECT_EQ(programs.given, "\r\n%PDF-1.7 rest");
  EXPECT_EQ(text.attachment_text, "word \xef\xbf\xbd of it\n");
  EXPECT_EQ(text.documents_read, 1U);
  EXPECT_TRUE(text.complete);
  EXPECT_TRUE(parse_extracted(encode_extracted(text)));
  text = of("application/pdf", "nothing of the kind");
  EXPECT_EQ(text.documents_read + text.documents_unread, 0U);
  EXPECT_FALSE(text.complete);
  text = of("application/pdf; name=alone.pdf", "%PDF-1.4");  // as scanners send it
  EXPECT_TRUE(text.has_attachment);
  EXPECT_EQ(text.attachment_names, "alone.pdf\n");
  // Of a file that is packed without a name, that of the attachment is the name; rich text is none of the bodies.
  text = of("application/gzip; name=figures.csv.gz", from_hex("1f8b08000000000002ff33d43102009b6c0e2b03000000").value_or(""));
  EXPECT_EQ(text.attachment_text, "figures.csv\n1,2\n\n");
  text = of("text/rtf", "{\\rtf1 rich\\par text}");
  EXPECT_EQ(text.attachment_text, "rich\ntext\n");
  EXPECT_EQ(text.body, "");
  EXPECT_EQ(text.documents_read, 1U);
  text = of("image/png", "\x89PNG");
  EXPECT_TRUE(text.complete);
  EXPECT_EQ(programs.asked, 2);
  std::string many = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 100; ++i) many += "--b\r\nContent-Type: application/pdf\r\n\r\n%PDF-\r\n";
  text = extract_text(many + "--b--\r\n", &programs);
  EXPECT_EQ(text.documents_read, 32U);
  EXPECT_EQ(text.documents_unread, 68U);
  // What was not even decoded may be a document.
  const std::string large = "Content-Type: application/x-other\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  EXPECT_EQ(extract_text(large + std::string(48U << 20, 'A')).documents_unread, 1U);
}

TEST(ExtractTest, TextsHaveLimits) {
  const ExtractedText text = extract_text("Subject: " + std::string(100'000, 's') + "\r\n\r\n" + std::string(1'000'000, 'x'));
  EXPECT_FALSE(text.complete);
  EXPECT_LE(text.body.size(), extracted_body_bytes_max);
  EXPECT_LE(text.subject.size(), extracted_header_bytes_max);
  EXPECT_TRUE(parse_extracted(encode_extracted(text)));
  const ExtractedText plain = extract_text("Subject: x\r\n\r\nbody\r\n");
  EXPECT_TRUE(plain.complete);
  EXPECT_EQ(plain.body, "body \n\n");
}

TEST(ExtractTest, AnAnswerThatAWorkerCouldNotGiveIsRefused) {
  ExtractedText text;
  text.body = "fine\n";
  ASSERT_TRUE(parse_extracted(encode_extracted(text)));
  for (const char* bad : {"\x01", "\xff", "\x7f", "\r"}) {
    text.body = bad;
    EXPECT_EQ(parse_extracted(encode_extracted(text)).error().kind, ErrorKind::corrupt);
  }
  text.body = "fine\n";
  text.documents_unread = extracted_documents_max + 1;
  EXPECT_EQ(parse_extracted(encode_extracted(text)).error().kind, ErrorKind::corrupt);
  text.documents_unread = 0;
  text.body = std::string(extracted_body_bytes_max + 1, 'a');
  EXPECT_EQ(parse_extracted(encode_extracted(text)).error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::scanning
