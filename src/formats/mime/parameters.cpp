#include "formats/mime/parameters.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "formats/mime/text.h"

namespace mailhold::mime {
namespace {

constexpr std::size_t parameters_max = 200;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 32 && !is_space(c)) || c == 127; }

// RFC 2045 section 5.1: token
bool is_token_character(char c) {
  constexpr std::string_view specials = "()<>@,;:\\\"/[]?=";
  return static_cast<unsigned char>(c) > 32 && static_cast<unsigned char>(c) < 127 && specials.find(c) == std::string_view::npos;
}

class Reader {
 public:
  Reader(std::string_view text, ParameterizedValue& out) : text_(text), out_(out) {}

  void read() {
    for (const char c : text_) out_.control |= is_control(c);
    out_.encoded_word = has_encoded_word(text_);
    skip_blanks_and_comments();
    read_value();
    skip_blanks_and_comments();
    while (at_ < text_.size() && out_.parameters.size() < parameters_max) {
      if (text_[at_] == ';') {
        ++at_;
      } else {
        out_.syntax = true;  // something other than a parameter: go to the next one
        skip_to_semicolon();
        continue;
      }
      skip_blanks_and_comments();
      if (at_ == text_.size() || text_[at_] == ';') continue;  // ";;" and a final ";" are common and harmless
      read_parameter();
      skip_blanks_and_comments();
    }
    if (at_ < text_.size()) out_.syntax = true;
  }

 private:
  void skip_blanks_and_comments() {
    while (at_ < text_.size()) {
      if (is_space(text_[at_])) {
        ++at_;
      } else if (text_[at_] == '(') {
        out_.comment = true;
        skip_comment();
      } else {
        return;
      }
    }
  }

  void skip_comment() {
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\\' && at_ < text_.size())
        ++at_;
      else if (c == '(')
        ++depth;
      else if (c == ')' && --depth == 0)
        return;
    }
    out_.syntax = true;  // never closed
  }

  void skip_to_semicolon() {
    while (at_ < text_.size() && text_[at_] != ';') {
      if (text_[at_] == '"') {
        std::string ignored;
        read_quoted(ignored);
      } else {
        ++at_;
      }
    }
  }

  void read_value() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_token_character(text_[at_]) || text_[at_] == '/')) ++at_;
    out_.value = to_lower(text_.substr(begin, at_ - begin));
    if (out_.value.empty()) out_.syntax = true;
  }

  void read_parameter() {
    Parameter parameter;
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_token_character(text_[at_])) ++at_;
    parameter.name = to_lower(text_.substr(begin, at_ - begin));
    const std::size_t name_end = at_;
    skip_blanks_and_comments();
    if (at_ >= text_.size() || text_[at_] != '=') {
      out_.syntax = true;
      skip_to_semicolon();
      return;
    }
    out_.spaced_equals |= at_ != name_end;
    ++at_;
    const std::size_t equals_end = at_;
    skip_blanks_and_comments();
    out_.spaced_equals |= at_ != equals_end;
    if (at_ < text_.size() && text_[at_] == '"') {
      parameter.quoted = true;
      const std::size_t value_begin = at_ + 1;
      const bool plain = read_quoted(parameter.value);
      if (plain) parameter.place = Span::between(value_begin, value_begin + parameter.value.size());
      // Text that sticks to the closing quote: a reader may take it for part of the value.
      if (at_ < text_.size() && text_[at_] != ';' && !is_space(text_[at_]) && text_[at_] != '(') out_.syntax = true;
    } else {
      read_unquoted(parameter);
    }
    if (parameter.name.empty()) out_.syntax = true;
    out_.parameters.push_back(std::move(parameter));
  }

  void read_unquoted(Parameter& parameter) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ';' && !is_space(text_[at_])) {
      if (text_[at_] == '(') {
        out_.comment = true;
        break;
      }
      if (text_[at_] == '"' || text_[at_] == '\\' || text_[at_] == ',') out_.syntax = true;
      if (!is_token_character(text_[at_])) out_.unquoted_special = true;
      ++at_;
    }
    parameter.value = text_.substr(begin, at_ - begin);
    parameter.place = Span::between(begin, at_);
    // "boundary=a b": most readers stop at the blank, some go on to the semicolon.
    std::size_t next = at_;
    while (next < text_.size() && is_space(text_[next])) ++next;
    if (next < text_.size() && text_[next] != ';' && text_[next] != '(') {
      out_.syntax = true;
      skip_to_semicolon();
      if (parameter.name.starts_with("filename") ||
          parameter.name.starts_with("name")) {  // names with blanks and no quotes are common
        parameter.value = trim(text_.substr(begin, at_ - begin));
      }
    }
  }

  // From the opening quote to behind the closing one. True if nothing was escaped or folded.
  bool read_quoted(std::string& value) {
    bool plain = true;
    ++at_;
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == '"') return plain;
      if (c == '\\' && at_ < text_.size()) {
        out_.escaped = true;
        plain = false;
        c = text_[at_++];
      } else if (c == '\r' || c == '\n') {
        plain = false;  // folding inside quotes: the line end goes, the blank behind it stays
        continue;
      }
      value.push_back(c);
    }
    out_.syntax = true;  // never closed
    return false;
  }

  std::string_view text_;
  ParameterizedValue& out_;
  std::size_t at_ = 0;
};

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() + 0) {
      if (auto byte = from_hex(text.substr(i + 1, 2)); byte && byte->size() == 1) {
        out += *byte;
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

// RFC 2231 section 4: charset'language'text
std::string extended(std::string_view text) {
  const std::size_t first = text.find('\'');
  const std::size_t second = first == std::string_view::npos ? first : text.find('\'', first + 1);
  if (second == std::string_view::npos) return to_utf8(percent_decoded(text), "");
  return to_utf8(percent_decoded(text.substr(second + 1)), text.substr(0, first));
}

// Without comments, quotes, backslashes and line ends.
std::string stripped(std::string_view text) {
  std::string out;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (depth == 0 && c != '"' && c != '\\' && c != '\r' && c != '\n') out.push_back(c);
    if (c == ')' && depth > 0) --depth;
  }
  return out;
}

struct Piece {
  std::string_view value;
  bool encoded;
};

// RFC 2231 section 3: name*0, name*1* ... joined in the order of their numbers.
std::string joined(const std::map<unsigned, Piece>& pieces) {
  std::string raw;
  std::string_view charset;
  bool any_encoded = false;
  for (const auto& [number, piece] : pieces) {
    std::string_view value = piece.value;
    if (piece.encoded) {
      any_encoded = true;
      if (number == 0) {
        const std::size_t first = value.find('\'');
        const std::size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
        if (second != std::string_view::npos) {
          charset = value.substr(0, first);
          value.remove_prefix(second + 1);
        }
      }
      raw += percent_decoded(value);
    } else {
      raw += value;
    }
  }
  return any_encoded ? to_utf8(raw, charset) : to_utf8(raw, "");
}

}  // namespace

const Parameter* ParameterizedValue::find(std::string_view name) const {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

ParameterizedValue parse_parameters(std::string_view field_value) {
  ParameterizedValue out;
  Reader(field_value, out).read();
  return out;
}

std::vector<std::string> readings_of(const ParameterizedValue& value, std::string_view name) {
  std::vector<std::string> readings;
  auto add = [&](std::string reading) {
    if (std::find(readings.begin(), readings.end(), reading) == readings.end()) readings.push_back(std::move(reading));
  };
  std::map<unsigned, Piece> pieces;
  const std::string star = std::string(name) + "*";
  for (const Parameter& parameter : value.parameters) {
    if (!parameter.name.starts_with(star)) continue;
    std::string_view rest = std::string_view(parameter.name).substr(star.size());
    if (rest.empty()) {
      add(extended(parameter.value));
      continue;
    }
    const bool encoded = rest.ends_with('*');
    if (encoded) rest.remove_suffix(1);
    if (const auto number = to_number(rest); number && *number < 1000)
      pieces.try_emplace(static_cast<unsigned>(*number), Piece{parameter.value, encoded});
  }
  if (!pieces.empty()) add(joined(pieces));
  for (const Parameter& parameter : value.parameters) {
    if (parameter.name != name) continue;
    add(has_encoded_word(parameter.value) ? decode_header_text(parameter.value) : to_utf8(parameter.value, ""));
  }
  return readings;
}

std::vector<std::string> careless_readings_of(std::string_view field_value, std::string_view name) {
  constexpr std::size_t readings_max = 4;
  const std::string text = stripped(field_value);
  const std::string lower = to_lower(text);
  std::vector<std::string> readings;
  for (std::size_t at = lower.find(name); at != std::string::npos && readings.size() < readings_max;
       at = lower.find(name, at + 1)) {
    std::size_t next = at + name.size();
    while (next < text.size() && is_space(text[next])) ++next;
    if (next < text.size() && text[next] == '=') readings.push_back(to_utf8(trim(std::string_view(text).substr(next + 1)), ""));
  }
  return readings;
}

}  // namespace mailhold::mime
