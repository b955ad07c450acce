#include <optional>

#include "base/text.h"
#include "formats/authres/authres.h"

namespace mailhold::authres {
namespace {

constexpr std::size_t value_bytes_max = 64 * 1024;
constexpr std::size_t results_max = 100;
constexpr std::size_t properties_max = 100;

Error malformed(const char* phrase) { return {.kind = ErrorKind::invalid_input, .detail = phrase}; }

bool is_blank(char letter) { return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n'; }

// Takes a comment at the start of `rest` off it, nested ones and quoted pairs included. False if it never ends.
bool skip_comment(std::string_view& rest) {
  std::size_t depth = 0;
  while (!rest.empty()) {
    const char letter = rest[0];
    rest.remove_prefix(letter == '\\' && rest.size() > 1 ? 2 : 1);
    if (letter == '(') ++depth;
    if (letter == ')' && --depth == 0) return true;
  }
  return false;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Result<Header> header() {
    Header header;
    ASSIGN_OR_RETURN(header.authserv_id, value());
    if (header.authserv_id.empty()) return malformed("no authserv-id");
    RETURN_IF_ERROR(skip_blanks());
    if (!rest_.empty() && rest_[0] != ';') {  // version, section 2.2
      ASSIGN_OR_RETURN(const std::string version, word("0123456789"));
      if (version.empty()) return malformed("no semicolon after authserv-id");
    }
    while (!rest_.empty()) {
      RETURN_IF_ERROR(expect(';'));
      RETURN_IF_ERROR(skip_blanks());
      if (rest_.empty()) break;  // a final ";" is common
      if (header.results.empty() && is_none()) continue;
      if (header.results.size() == results_max) return malformed("too many results");
      ASSIGN_OR_RETURN(MethodResult result, method_result());
      header.results.push_back(std::move(result));
    }
    return header;
  }

 private:
  static constexpr std::string_view keyword_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

  Status skip_blanks() {  // CFWS
    while (!rest_.empty()) {
      if (is_blank(rest_[0]))
        rest_.remove_prefix(1);
      else if (rest_[0] != '(')
        break;
      else if (!skip_comment(rest_))
        return malformed("comment without end");
    }
    return done();
  }

  Status expect(char letter) {
    RETURN_IF_ERROR(skip_blanks());
    if (rest_.empty() || rest_[0] != letter) return malformed("sign missing");
    rest_.remove_prefix(1);
    return done();
  }

  // The longest run of the letters, after CFWS.
  Result<std::string> word(std::string_view letters) {
    RETURN_IF_ERROR(skip_blanks());
    const std::size_t end = std::min(rest_.find_first_not_of(letters), rest_.size());
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return text;
  }

  bool is_none() {
    if (!starts_with_ignoring_case(rest_, "none")) return false;
    std::string_view after = rest_.substr(4);
    while (!after.empty() && is_blank(after[0])) after.remove_prefix(1);
    if (!after.empty() && after[0] != '(' && after[0] != ';') return false;
    rest_ = after;
    Status skipped = skip_blanks();
    return static_cast<bool>(skipped);
  }

  Result<MethodResult> method_result() {
    MethodResult result;
    ASSIGN_OR_RETURN(result.method, word(keyword_letters));
    RETURN_IF_ERROR(skip_blanks());
    if (!rest_.empty() && rest_[0] == '/') {
      rest_.remove_prefix(1);
      ASSIGN_OR_RETURN(const std::string version, word("0123456789"));
      if (version.empty()) return malformed("no method version");
    }
    RETURN_IF_ERROR(expect('='));
    ASSIGN_OR_RETURN(result.result, word(keyword_letters));
    if (result.method.empty() || result.result.empty()) return malformed("no method or result");
    result.method = to_lower(result.method);
    result.result = to_lower(result.result);
    for (;;) {
      RETURN_IF_ERROR(skip_blanks());
      if (rest_.empty() || rest_[0] == ';') return result;
      RETURN_IF_ERROR(reason_or_property(result));
    }
  }

  Status reason_or_property(MethodResult& result) {
    ASSIGN_OR_RETURN(std::string name, word(keyword_letters));
    RETURN_IF_ERROR(skip_blanks());
    if (name.empty() || rest_.empty()) return malformed("no property");
    if (rest_[0] == '=') {
      if (!equals_ignoring_case(name, "reason") || !result.reason.empty() || !result.properties.empty())
        return malformed("property without type");
      rest_.remove_prefix(1);
      ASSIGN_OR_RETURN(result.reason, value());
      return done();
    }
    if (result.properties.size() == properties_max) return malformed("too many properties");
    RETURN_IF_ERROR(expect('.'));
    ASSIGN_OR_RETURN(std::string property, word(keyword_letters));
    if (property.empty()) return malformed("no property");
    RETURN_IF_ERROR(expect('='));
    ASSIGN_OR_RETURN(std::string text, value());
    result.properties.push_back({to_lower(name), to_lower(property), std::move(text)});
    return done();
  }

  // A token, a quoted string, or local-part "@" domain where the local part may be quoted; after CFWS.
  Result<std::string> value() {
    RETURN_IF_ERROR(skip_blanks());
    std::string text;
    if (!rest_.empty() && rest_[0] == '"') {
      ASSIGN_OR_RETURN(text, quoted());
      if (rest_.empty() || rest_[0] != '@') return text;
    }
    while (!rest_.empty() && !is_blank(rest_[0]) && rest_[0] != ';' && rest_[0] != '(' && rest_[0] != ')' && rest_[0] != '"') {
      text += rest_[0];
      rest_.remove_prefix(1);
    }
    return text;
  }

  Result<std::string> quoted() {
    std::string text;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      char letter = rest_[0];
      rest_.remove_prefix(1);
      if (letter == '"') return text;
      if (letter == '\\') {
        if (rest_.empty()) break;
        letter = rest_[0];
        rest_.remove_prefix(1);
      }
      if (letter != '\r' && letter != '\n') text += letter;
    }
    return malformed("quoted string without end");
  }

  std::string_view rest_;
};

// Without comments, quotes and backslashes; an unended comment takes the rest.
std::string bare(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    if (text[0] == '(') {
      skip_comment(text);
      continue;
    }
    if (text[0] != '"' && text[0] != '\\') kept += to_lower(text[0]);
    text.remove_prefix(1);
  }
  return kept;
}

// Whether `id` stands before the first ";" as a word of its own.
bool names(std::string_view text, std::string_view id) {
  text = text.substr(0, text.find(';'));
  const auto is_part_of_name = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
  };
  for (std::size_t at = text.find(id); at != std::string_view::npos; at = text.find(id, at + 1)) {
    const std::string_view after = text.substr(at + id.size());
    const bool starts = at == 0 || !(is_part_of_name(text[at - 1]) || text[at - 1] == '.');
    const bool ends =
        after.empty() || !(is_part_of_name(after[0]) || (after[0] == '.' && after.size() > 1 && is_part_of_name(after[1])));
    if (starts && ends) return true;
  }
  return false;
}

}  // namespace

Result<Header> parse(std::string_view value) {
  if (value.size() > value_bytes_max) return malformed("field too long");
  return Reader(value).header();
}

bool claims(std::string_view value, std::string_view authserv_id) {
  const std::string id = to_lower(authserv_id);
  if (id.empty()) return false;
  if (value.size() > value_bytes_max) return true;  // nobody honest writes this, and what hides in it is not worth a search
  // As a careful reader sees it, and as one who knows no comments.
  return names(bare(value), id) || names(to_lower(value), id);
}

}  // namespace mailhold::authres
