#include "formats/html/html_text.h"

#include <algorithm>

#include "base/text.h"
#include "formats/html/named_references.h"
#include "formats/html/tokenizer.h"

namespace mailhold::html {
namespace {

// Elements that a word may go on through.
bool is_inline(std::string_view name) {
  static constexpr std::string_view names[] = {"a", "abbr", "b",     "big",    "em",  "font", "i", "ins", "del",
                                               "s", "span", "small", "strong", "sub", "sup",  "u", "wbr", "mark"};
  return std::any_of(std::begin(names), std::end(names), [&](std::string_view one) { return equals_ignoring_case(one, name); });
}

}  // namespace

std::string text_of(std::string_view html) {
  std::string text;
  Tokenizer tokenizer(html, Reading::plain);
  Tag tag;
  for (bool more = true; more;) {
    more = tokenizer.next(tag);
    for (const std::string_view each : tokenizer.texts()) text += decode_attribute(each);
    if (more && !is_inline(tag.name) && !text.empty() && text.back() != '\n') text += '\n';
  }
  return text;
}

}  // namespace mailhold::html
