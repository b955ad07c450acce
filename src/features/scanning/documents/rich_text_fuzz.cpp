// A rich text of a stranger: its text stays within its limit, and grows by no more than characters do.
#include <cstdlib>

#include "features/scanning/documents/rich_text.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\fswiss Arial;}{\\f1\\fcharset204 Cyr;}}{\\*\\generator x;}\\f0 "
      "on\\'e9\\par}",
      "{\\rtf1 a\\u246?b\\uc2\\u-10179??{\\f1 \\'e8}\\bin3 }}}c{\\footnote note}\\v h\\v0 }",
      "{\\rtf1\\mac{\\field{\\*\\fldinst LINK}{\\fldrslt link}}\\tab x\\~y\\_z\\\\\\{\\}}"};
}

std::vector<std::string> fuzz_words() {
  return {"{",          "}",         "\\'e4",      "\\u8364 ", "\\uc",  "\\bin",   "\\*", "\\f1",
          "\\fcharset", "\\ansicpg", "{\\fonttbl", "\\v",      "\\par", "\\plain", "\\"};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  constexpr std::size_t bytes_max = 200;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const scanning::DocumentText document = scanning::text_of_rich_text(bytes, bytes_max);
  if (document.text.size() > bytes_max || document.text.size() > 4 * size) std::abort();
  return 0;
}
