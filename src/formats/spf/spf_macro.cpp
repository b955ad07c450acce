#include "formats/spf/spf_macro.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/dns_answer.h"
#include "base/text.h"

namespace mailhold::spf {
namespace {

constexpr std::string_view delimiters = ".-+,/_=";

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
bool is_alpha(char letter) { return to_lower(letter) >= 'a' && to_lower(letter) <= 'z'; }
bool is_alphanumeric(char letter) { return is_digit(letter) || is_alpha(letter); }

struct Macro {
  char letter = 0;         // '%', '_' or '-' for %%, %_ and %-
  std::size_t labels = 0;  // 0: all
  bool reversed = false;
  std::string_view split_at = ".";
  std::size_t length = 0;  // in the text
};

// A macro at the start of `text`, which begins with '%'.
std::optional<Macro> read_macro(std::string_view text, MacroUse use) {
  if (text.size() < 2) return std::nullopt;
  Macro macro;
  if (text[1] != '{') {
    if (std::string_view("%_-").find(text[1]) == std::string_view::npos) return std::nullopt;
    macro.letter = text[1];
    macro.length = 2;
    return macro;
  }
  const std::size_t end = text.find('}');
  if (end == std::string_view::npos || end < 3) return std::nullopt;
  macro.letter = text[2];
  const std::string_view letters = use == MacroUse::explanation ? "slodiphcrtv" : "slodiphv";
  if (letters.find(to_lower(macro.letter)) == std::string_view::npos) return std::nullopt;
  std::size_t at = 3;
  const std::size_t digits = at;
  while (at < end && is_digit(text[at]))
    macro.labels = std::min<std::size_t>(macro.labels * 10 + static_cast<std::size_t>(text[at++] - '0'), 1000);
  if (at > digits && macro.labels == 0) return std::nullopt;  // "MUST be nonzero", section 7.1
  if (at < end && to_lower(text[at]) == 'r') {
    macro.reversed = true;
    ++at;
  }
  if (at < end) macro.split_at = text.substr(at, end - at);
  if (at < end && macro.split_at.find_first_not_of(delimiters) != std::string_view::npos) return std::nullopt;
  macro.length = end + 1;
  return macro;
}

// Where the last macro ends; nothing if the text is not a macro-string.
std::optional<std::size_t> end_of_last_macro(std::string_view text, MacroUse use) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '%') {
      const std::optional<Macro> macro = read_macro(text.substr(at), use);
      if (!macro) return std::nullopt;
      at += macro->length;
      end = at;
      continue;
    }
    const bool is_space = text[at] == ' ' && use == MacroUse::explanation;
    if (!is_space && (text[at] < 0x21 || text[at] > 0x7e)) return std::nullopt;
    ++at;
  }
  return end;
}

bool is_top_label(std::string_view label) {
  if (label.empty() || !is_alphanumeric(label.front()) || !is_alphanumeric(label.back())) return false;
  bool has_more_than_digits = false;
  for (char letter : label) {
    if (letter != '-' && !is_alphanumeric(letter)) return false;
    has_more_than_digits = has_more_than_digits || !is_digit(letter);
  }
  return has_more_than_digits;
}

char upper_digit(char digit) { return digit >= 'a' ? static_cast<char>(digit - 'a' + 'A') : digit; }

std::string nibbles_or_dotted(std::string_view address) {
  if (address.size() == 4) return dns::address_text(address);
  std::string text;
  for (char digit : to_hex(address)) {
    if (!text.empty()) text += '.';
    text += upper_digit(digit);
  }
  return text;
}

std::string value_of(char letter, const MacroValues& values) {
  switch (to_lower(letter)) {
    case 's': return values.local_part + "@" + values.sender_domain;
    case 'l': return values.local_part;
    case 'o': return values.sender_domain;
    case 'd': return values.domain;
    case 'i': return nibbles_or_dotted(values.client_ip);
    case 'p': return values.validated_name();
    case 'v': return values.client_ip.size() == 4 ? "in-addr" : "ip6";
    case 'h': return values.helo;
    case 'c': return dns::address_text(values.client_ip);
    case 'r': return values.receiver;
    case 't': return values.now_seconds;
    default: return {};
  }
}

std::string transformed(const std::string& value, const Macro& macro) {
  std::vector<std::string_view> pieces;
  std::string_view rest = value;
  for (;;) {
    const std::size_t end = rest.find_first_of(macro.split_at);
    pieces.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (macro.reversed) std::reverse(pieces.begin(), pieces.end());
  const std::size_t first = macro.labels == 0 || macro.labels > pieces.size() ? 0 : pieces.size() - macro.labels;
  std::string joined;
  for (std::size_t index = first; index < pieces.size(); ++index) {
    if (index > first) joined += '.';
    joined += pieces[index];
  }
  return joined;
}

// An upper-case letter asks for URL escaping of all but RFC 3986's unreserved characters (section 7.3).
std::string url_escaped(std::string_view text) {
  std::string escaped;
  for (char letter : text) {
    if (is_alphanumeric(letter) || std::string_view("-._~").find(letter) != std::string_view::npos) {
      escaped += letter;
      continue;
    }
    escaped += '%';
    for (char digit : to_hex({&letter, 1})) escaped += upper_digit(digit);
  }
  return escaped;
}

std::string expanded_macro(const Macro& macro, const MacroValues& values) {
  switch (macro.letter) {
    case '%': return "%";
    case '_': return " ";
    case '-': return "%20";
    default: break;
  }
  const std::string text = transformed(value_of(macro.letter, values), macro);
  return macro.letter < 'a' ? url_escaped(text) : text;
}

}  // namespace

bool is_macro_string(std::string_view text, MacroUse use) { return end_of_last_macro(text, use).has_value(); }

bool is_domain_spec(std::string_view text) {
  const std::optional<std::size_t> end = end_of_last_macro(text, MacroUse::domain);
  if (!end || text.empty()) return false;
  if (*end == text.size()) return true;
  std::string_view tail = text.substr(*end);
  if (tail.ends_with('.')) tail.remove_suffix(1);
  const std::size_t dot = tail.rfind('.');
  return dot != std::string_view::npos && is_top_label(tail.substr(dot + 1));
}

std::string expand(std::string_view text, const MacroValues& values) {
  std::string expanded;
  for (std::size_t at = 0; at < text.size() && expanded.size() < expanded_bytes_max;) {
    const std::optional<Macro> macro = text[at] == '%' ? read_macro(text.substr(at), MacroUse::explanation) : std::nullopt;
    if (macro)
      expanded += expanded_macro(*macro, values);
    else
      expanded += text[at];
    at += macro ? macro->length : 1;
  }
  if (expanded.size() > expanded_bytes_max) expanded.resize(expanded_bytes_max);
  return expanded;
}

std::string expand_domain(std::string_view text, const MacroValues& values) {
  std::string domain = expand(text, values);
  if (domain.ends_with('.')) domain.pop_back();
  while (domain.size() > dns::name_bytes_max) {
    const std::size_t dot = domain.find('.');
    if (dot == std::string::npos) break;
    domain.erase(0, dot + 1);
  }
  return domain;
}

}  // namespace mailhold::spf
