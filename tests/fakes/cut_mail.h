// Mail that ends before its end: a multipart that is not closed, base64 cut in the middle, a header without end. For tests of
// what a backup, its index and an export make of them.
#pragma once

#include <string>
#include <vector>

#include "base/text.h"
#include "fakes/stored_zip.h"

namespace mailhold::recover {

// A message with all that can be cut: an encoded header, two texts, a document.
inline std::string whole_mail() {
  const std::string document =
      to_base64(stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>chalk cliffs</t></p></d>"}}));
  return "From: =?utf-8?B?w4RubmU=?= <anne@a.example>\r\nSubject: =?utf-8?Q?F=C3=A4hre?= to the island\r\nMIME-Version: 1.0\r\n"
         "Content-Type: multipart/mixed;\r\n boundary=\"outer\"\r\n\r\npreamble\r\n--outer\r\n"
         "Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nseagulls =C3=BCberall\r\n--inner\r\nContent-Type: text/html\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\n" +
         to_base64("<p>lighthouse and a long path along the shore</p>") +
         "\r\n--inner--\r\n--outer\r\nContent-Type: application/octet-stream; name=\"cliffs.docx\"\r\n"
         "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"cliffs.docx\"\r\n\r\n" +
         document + "\r\n--outer--\r\n";
}

// Cut after every `step` bytes; the whole one is the last.
inline std::vector<std::string> cut_mail(std::size_t step) {
  const std::string whole = whole_mail();
  std::vector<std::string> cut;
  for (std::size_t length = 1; length < whole.size(); length += step) cut.push_back(whole.substr(0, length));
  cut.push_back(whole);
  return cut;
}

}  // namespace mailhold::recover
