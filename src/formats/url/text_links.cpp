#include "formats/url/text_links.h"

#include "base/text.h"
#include "base/utf8.h"

namespace mailhold::url {
namespace {

bool is_between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

// Spaces, quotation marks and brackets that no mail program takes into an address. The ideographic full stop and the
// fullwidth one stay: browsers read them as dots of a host.
bool ends_address(char32_t c) {
  if (c <= 0x20 || c == '<' || c == '>' || c == '"' || c == 0x7F) return true;
  if (c < 0x80) return false;
  return is_between(c, 0x80, 0xA0) || c == 0xAB || c == 0xBB || is_between(c, 0x2000, 0x200B) || is_between(c, 0x2018, 0x201F) ||
         is_between(c, 0x2026, 0x202F) || c == 0x205F || is_between(c, 0x3000, 0x3001) || is_between(c, 0x3008, 0x3011) ||
         c == 0xFEFF || c == 0xFF01 || c == 0xFF08 || c == 0xFF09 || c == 0xFF0C;
}

// The text as code points: UTF-8 if it is that, else Latin-1.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), utf8_(is_utf8(text)) {}
  char32_t next(std::size_t& position) const {
    if (utf8_) return next_code_point(text_, position);
    return static_cast<unsigned char>(text_[position++]);
  }
  std::string utf8(std::string_view part) const { return utf8_ ? std::string(part) : utf8_from_latin1(part); }

 private:
  std::string_view text_;
  bool utf8_;
};

// Without the punctuation that belongs to the sentence. A closing bracket belongs to the address if it opened there.
std::string_view without_sentence_end(std::string_view address) {
  std::ptrdiff_t round = 0, square = 0, curly = 0;
  for (char c : address) {
    round += (c == '(') - (c == ')');
    square += (c == '[') - (c == ']');
    curly += (c == '{') - (c == '}');
  }
  // No underscore: it stays clickable in most mail programs, and behind a rewritten link it would be read as part of its token.
  constexpr std::string_view punctuation = ".,;:!?'*~`|";
  constexpr std::string_view ideographic_stop = "\xe3\x80\x82";
  while (!address.empty()) {
    const char last = address.back();
    if (last == ')' && round < 0) {
      ++round;
    } else if (last == ']' && square < 0) {
      ++square;
    } else if (last == '}' && curly < 0) {
      ++curly;
    } else if (address.ends_with(ideographic_stop)) {
      address.remove_suffix(ideographic_stop.size() - 1);
    } else if (punctuation.find(last) == std::string_view::npos) {
      break;
    }
    address.remove_suffix(1);
  }
  return address;
}

// How long the scheme with its "://" is that stands here; 0 for none.
std::size_t scheme_length(std::string_view rest) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (starts_with_ignoring_case(rest, scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

TextLinks find_links_in_text(std::string_view text) {
  TextLinks result;
  const Reader reader(text);
  std::size_t position = 0;
  while ((position = text.find_first_of("hH", position)) != std::string_view::npos) {
    const std::size_t scheme = scheme_length(text.substr(position, 8));
    if (scheme == 0) {
      ++position;
      continue;
    }
    std::size_t end = position + scheme;
    while (end < text.size()) {
      std::size_t after = end;
      if (ends_address(reader.next(after))) break;
      end = after;
    }
    const std::string_view address = without_sentence_end(text.substr(position, end - position));
    if (address.size() > scheme) {
      if (result.links.size() >= text_links_max) {
        result.truncated = true;
        break;
      }
      result.links.push_back({position, address.size(), reader.utf8(address)});
    }
    position = end;
  }
  return result;
}

}  // namespace mailhold::url
