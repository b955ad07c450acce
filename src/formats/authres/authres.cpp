#include "formats/authres/authres.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::authres {
namespace {

constexpr std::size_t value_bytes_max = 320;  // the longest address; keeps every line far below 998 bytes
constexpr std::size_t line_bytes_wanted = 78;

bool is_alphanumeric(char letter) {
  const char lower = to_lower(letter);
  return (lower >= 'a' && lower <= 'z') || (letter >= '0' && letter <= '9');
}

bool is_domain_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
    return is_alphanumeric(letter) || letter == '-' || letter == '.' || letter == '_';
  });
}

// What may stand without quotes for every reader: a token of safe characters, or local-part@domain of such.
bool is_plain(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos && !is_domain_text(text.substr(at + 1))) return false;
  const std::string_view head = text.substr(0, at);
  if (at == std::string_view::npos && head.empty()) return false;
  return std::all_of(head.begin(), head.end(), [](char letter) {
    return is_alphanumeric(letter) || std::string_view("-._+").find(letter) != std::string_view::npos;
  });
}

std::string written_value(std::string_view value) {
  value = value.substr(0, value_bytes_max);
  if (is_plain(value)) return std::string(value);
  std::string quoted = "\"";
  for (char letter : value) {
    const bool is_printable = letter >= 0x20 && letter < 0x7f;
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += is_printable ? letter : '?';
  }
  return quoted + '"';
}

// Names of methods, results and properties are ours; a stray byte still must not open a new item.
std::string written_keyword(std::string_view word) {
  std::string kept;
  for (char letter : word.substr(0, 64)) {
    if (is_alphanumeric(letter) || letter == '-' || letter == '_') kept += letter;
  }
  return kept.empty() ? "unknown" : kept;
}

class FoldedLine {
 public:
  explicit FoldedLine(std::string start)
      : text_(std::move(start)), line_bytes_(text_.size() + std::string_view("Authentication-Results: ").size()) {}
  void add(const std::string& word) {
    if (line_bytes_ + 1 + word.size() > line_bytes_wanted)
      start_line();
    else
      put(" ");
    put(word);
  }
  void start_line() {
    text_ += "\r\n\t";
    line_bytes_ = 8;
  }
  void put(const std::string& word) {
    text_ += word;
    line_bytes_ += word.size();
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t line_bytes_;
};

}  // namespace

std::string write_value(const Header& header) {
  FoldedLine line(written_value(header.authserv_id));
  if (header.results.empty()) line.put("; none");
  for (const MethodResult& result : header.results) {
    line.put(";");
    line.start_line();
    line.put(written_keyword(result.method) + "=" + written_keyword(result.result));
    if (!result.reason.empty()) line.add("reason=" + written_value(result.reason));
    for (const Property& property : result.properties) {
      line.add(written_keyword(property.type) + "." + written_keyword(property.name) + "=" + written_value(property.value));
    }
  }
  return line.take();
}

std::string write(const Header& header) { return "Authentication-Results: " + write_value(header) + "\r\n"; }

}  // namespace mailhold::authres
