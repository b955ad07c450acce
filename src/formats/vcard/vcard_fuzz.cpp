#include <cstdlib>

#include "formats/vcard/card_meaning.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "BEGIN:VCARD\r\nVERSION:4.0\r\nN:Doe;John;;\\;;\r\nitem1.TEL;TYPE=\"voice,home\";VALUE=uri:tel:1\r\nPHOTO;ENCODING=b:"
      "AA\r\n AA\r\nCATEGORIES:a,b\r\nEND:VCARD\r\n",
      "BEGIN:VCARD\nFN;X=^n^^:a\\nb\nEND:VCARD\n"};
}
std::vector<std::string> fuzz_words() {
  return {"\r\n", "\r\n ", "\n\t", "BEGIN:", "END:", ";",          "=",      "\"",   ":",
          ",",    "\\n",   "^n",   "TYPE=",  "N:",   "ENCODING=b", "item1.", "VCARD"};
}

// Whatever can be read means what it means, folded or not, and in the other order of its lines too.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto same = vcard::difference_of(text, text);
  if (!same) return 0;
  if (!same->is_none || !same->names.empty()) std::abort();
  std::string folded;
  std::size_t column = 0;
  for (const char letter : text) {
    if (letter != '\n' && letter != '\r' && ++column > 7) {
      folded += "\r\n ";
      column = 1;
    }
    if (letter == '\n') column = 0;
    folded += letter;
  }
  // A lone CR in the middle of a line would become a line break where it is folded.
  const bool has_odd_cr = text.find('\r') != std::string_view::npos;
  const auto found = vcard::difference_of(text, folded);
  if (!has_odd_cr && (!found || !found->is_none)) std::abort();
  const auto half = vcard::difference_of(text, text.substr(0, size / 2));
  const auto back = vcard::difference_of(text.substr(0, size / 2), text);
  if (bool(half) != bool(back) || (half && half->is_none != back->is_none)) std::abort();
  return 0;
}
