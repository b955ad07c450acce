#include "formats/url/percent.h"

namespace mailhold::url {
namespace {

std::string_view special_of(EncodeSet set) {
  switch (set) {
    case EncodeSet::fragment: return " \"<>`";
    case EncodeSet::query: return " \"#<>'";  // the special-query set: http and https only
    case EncodeSet::path: return " \"#<>?^`{}";
    case EncodeSet::userinfo: return " \"#<>?`{}/:;=@[\\]^|";
  }
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void append_encoded(std::string& out, std::string_view utf8, EncodeSet set) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const std::string_view special = special_of(set);
  for (char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7E || special.find(c) != std::string_view::npos) {
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace mailhold::url
