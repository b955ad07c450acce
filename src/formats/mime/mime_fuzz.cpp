#include <cstdlib>

#include "base/utf8.h"
#include "formats/mime/parameters.h"
#include "formats/mime/readings.h"
#include "formats/mime/text.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "A: b; c=\"d\\\"\"",
      "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Disposition: attachment; filename*0*=utf-8''a%20; "
      "filename*1=b\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\nZGVm=\r\n--b\r\n\r\nx\r\n--b--\r\n",
      "Subject: =?utf-8?q?a=20b?= =?iso-8859-1?b?5Pbc?=\r\nContent-Type: text/plain; charset=x (c)\r\nContent-Transfer-Encoding: "
      "quoted-printable\r\n\r\na=3Db=\r\nc=G0\r\n",
      "Content-Type: message/rfc822\r\n\r\nSubject: x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 "
      "a\r\n#86)C\r\n`\r\nend\r\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "\n", "\"", "\\", ";", "=", "=?", "?=", "--b", "--", "*=", "'", "(", ")", "begin 644 a", "message/rfc822"};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  mime::Message message = mime::parse(bytes);
  for (const mime::Part& part : message.parts) {
    // All offsets stay within the message, and a child within its parent.
    if (part.body.end() > size || part.header.end() > size) std::abort();
    if (part.parent != mime::no_part) {
      const mime::Part& parent = message.parts[static_cast<std::size_t>(part.parent)];
      if (part.body.offset < parent.body.offset) std::abort();
    }
  }
  for (const mime::Field& field : message.fields) {
    if (field.whole.end() > size || field.value.end() > field.whole.end()) std::abort();
    const auto value = mime::parse_parameters(field.value.of(bytes));
    for (const auto& parameter : value.parameters) {
      if (parameter.place.end() > field.value.length) std::abort();
    }
    (void)mime::readings_of(value, "filename");
    if (!is_utf8(mime::decode_header_text(field.value.of(bytes)))) std::abort();
  }
  mime::visit_readings(bytes, message, {8u << 20}, [](const mime::Reading&) {});
  return 0;
}
