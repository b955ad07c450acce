#include "features/search/words.h"

#include "base/utf8.h"

namespace mailhold::search {
namespace {

constexpr std::string_view mark = "\xee\x80\x80";  // U+E000

bool is_private(char32_t c) { return (c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000; }
// What base64 and its like are made of.
bool is_code(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

}  // namespace

std::string indexable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t begin = 0;  // in `out`, of the run of such characters that goes on
  const auto end_run = [&] {
    if (out.size() - begin > word_bytes_max) out.resize(begin);
  };
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_private(c)) continue;
    if (is_code(c)) {
      out += static_cast<char>(c);
      continue;
    }
    end_run();
    append_utf8(out, c);
    begin = out.size();
  }
  end_run();
  return out;
}

std::string mark_of_all() { return std::string(mark) + "all"; }
std::string mark_of_attachment() { return std::string(mark) + "a"; }
std::string mark_of_unreadable() { return std::string(mark) + "u"; }
std::string mark_of(Id mailbox) { return std::string(mark) + "m" + mailbox.text(); }

std::string marks_of(const Document& document) {
  std::string marks = mark_of_all() + " " + mark_of(document.mailbox);
  if (document.has_attachment) marks += " " + mark_of_attachment();
  if (document.has_unreadable) marks += " " + mark_of_unreadable();
  return marks;
}

}  // namespace mailhold::search
