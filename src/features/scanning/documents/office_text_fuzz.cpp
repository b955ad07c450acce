// An office file of a stranger, and a part of one: texts stay within their limits whatever is inside.
#include <cstdlib>

#include "fakes/stored_zip.h"
#include "features/scanning/documents/office_text.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {
constexpr const char* document =
    "<w:d><w:p><w:r><w:t>one</w:t></w:r><w:tab/><w:t> &amp; two</w:t></w:p><Fallback><t>x</t></Fallback></w:d>";
constexpr const char* sheet = "<sst><c t='s'><v>1</v></c><c><v>47</v></c><si><r><t>a</t></r><rPh><t>b</t></rPh></si></sst>";
constexpr const char* open_document =
    "<o:d><t:h>Head</t:h><t:p>a<t:span>b</t:span><t:s/>c</t:p><t:tracked-changes><p>x</p></t:tracked-changes></o:d>";
}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {document, sheet, open_document,
          stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", document}, {"xl/worksheets/sheet1.xml", sheet}}),
          stored_zip({{"mimetype", "application/vnd.oasis.opendocument.text"}, {"content.xml", open_document}})};
}

std::vector<std::string> fuzz_words() {
  return {"<t>", "</t>",   "<p>",  "</p>", "<c t='s'>", "<v>",    "<![CDATA[",
          "]]>", "&#x41;", "<!--", "-->",  "PK\1\2",    "PK\3\4", "word/document.xml"};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  constexpr std::size_t bytes_max = 40, unpacked_max = 100'000;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  std::size_t left = unpacked_max;
  if (const auto read = scanning::text_of_office(bytes, bytes_max, left); read && read->text.size() > bytes_max) std::abort();
  if (left > unpacked_max) std::abort();
  for (const auto markup : {scanning::OfficeMarkup::open_xml, scanning::OfficeMarkup::open_document}) {
    std::string xml = bytes, text;
    (void)scanning::add_text_of_markup(xml, markup, text, bytes_max);
    if (text.size() > bytes_max || text.size() > 2 * size) std::abort();
  }
  return 0;
}
