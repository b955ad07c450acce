#include "features/search/query.h"

#include <optional>
#include <vector>

#include "base/utf8.h"
#include "features/search/words.h"

namespace mailhold::search {
namespace {

// Behind which word and colon what is looked for stands, and where.
struct Name {
  std::string_view typed;
  std::string_view column;  // of FTS5; empty: not a search for words
};
constexpr Name names[] = {{"from", "sender"}, {"to", "recipient"}, {"subject", "subject"}, {"attachment", "attachment"},
                          {"folder", ""},     {"before", ""},      {"after", ""},          {"has", ""}};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    out += c;
    if (c == '"') out += c;
  }
  return out + "\"";
}

// Whether FTS5 finds a word in it. Of what is not ASCII only letters, digits and the like matter; a sign of the general
// punctuation or among the symbols is none.
bool has_word(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    if (c >= 0xC0 && c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c < 0x2C00) && !(c >= 0x3000 && c < 0x3040) && c != 0xFFFD)
      return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& terms, std::string_view between) {
  std::string out;
  for (const std::string& term : terms) {
    if (!out.empty()) out += between;
    out += term;
  }
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<ParsedQuery> run() {
    if (text_.size() > query_bytes_max)
      return Error{ErrorKind::invalid_input, "a query of more than 4096 bytes", "a query has at most 4096 bytes"};
    if (!is_utf8(text_)) return error(0, "this is not UTF-8");
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (static_cast<unsigned char>(text_[at]) < 0x20 && !is_blank(text_[at])) return error(at, "a control character");
    }
    for (skip_blanks(); at_ < text_.size(); skip_blanks()) {
      if (++terms_ > query_terms_max) return error(at_, "more than 64 terms");
      RETURN_IF_ERROR(take_term());
    }
    if (terms_ == 0) return error(0, "there is nothing to look for");
    if (result_.until != 0 && result_.from >= result_.until) return error(0, "nothing is both after: and before: these times");
    std::string words = joined(wanted_, " AND ");
    if (words.empty()) words = quoted(mark_of_all());
    if (!unwanted_.empty()) words = "(" + words + ") NOT (" + joined(unwanted_, " OR ") + ")";
    result_.words = std::move(words);
    return std::move(result_);
  }

 private:
  Error error(std::size_t place, const std::string& what) const {
    std::size_t characters = 1;
    for (std::size_t at = 0; at < place && at < text_.size(); ++characters) (void)next_code_point(text_, at);
    const std::string text = "the query, at character " + std::to_string(characters) + ": " + what;
    return {ErrorKind::invalid_input, text, text};
  }

  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  Status take_term() {
    const std::size_t begin = at_;
    const bool negated = text_[at_] == '-';
    if (negated) ++at_;
    const Name* name = take_name();
    const std::size_t place = at_;
    ASSIGN_OR_RETURN(const Value value, take_value());
    if (value.text.empty()) return error(place, name == nullptr ? "a word is missing" : "something must stand behind the colon");
    if (name != nullptr && name->column.empty()) {
      if (negated && name->typed != "has") return error(begin, "only words and has: can be ruled out");
      return take_condition(*name, value, place, negated);
    }
    const std::string clean = indexable(value.text);
    if (!has_word(clean)) return error(place, "there is no word in this");
    std::string term = quoted(clean);
    if (value.is_beginning) term += " *";
    if (name != nullptr) term = std::string(name->column) + " : " + term;
    (negated ? unwanted_ : wanted_).push_back("(" + term + ")");
    return done();
  }

  const Name* take_name() {
    const std::string_view rest = text_.substr(at_);
    for (const Name& name : names) {
      if (!rest.starts_with(name.typed) || rest.size() <= name.typed.size() || rest[name.typed.size()] != ':') continue;
      at_ += name.typed.size() + 1;
      return &name;
    }
    return nullptr;
  }

  struct Value {
    std::string text;
    bool is_beginning = false;  // "invoi*"
  };
  Result<Value> take_value() {
    Value value;
    if (at_ < text_.size() && text_[at_] == '"') {
      const std::size_t begin = at_++;
      const std::size_t end = text_.find('"', at_);
      if (end == std::string_view::npos) return error(begin, "a quotation mark that is never closed");
      value.text = text_.substr(at_, end - at_);
      at_ = end + 1;
      if (at_ < text_.size() && !is_blank(text_[at_])) return error(at_, "a blank is missing behind the quotation mark");
      return value;
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_blank(text_[at_])) ++at_;
    value.text = text_.substr(begin, at_ - begin);
    if (value.text.size() > 1 && value.text.ends_with('*')) {
      value.is_beginning = true;
      value.text.pop_back();
    }
    return value;
  }

  Status take_condition(const Name& name, const Value& value, std::size_t place, bool negated) {
    if (name.typed == "has") {
      const bool unreadable = value.text == "unreadable";
      if (!unreadable && value.text != "attachment") return error(place, "has: is for attachment and unreadable only");
      (negated ? unwanted_ : wanted_).push_back(quoted(unreadable ? mark_of_unreadable() : mark_of_attachment()));
      return done();
    }
    if (name.typed == "folder") {
      if (!result_.folder.empty()) return error(place, "a second folder:");
      result_.folder = value.text + (value.is_beginning ? "*" : "");
      return done();
    }
    const std::optional<Milliseconds> time = parse_iso8601(value.text);
    if (!time || *time <= 0) return error(place, "not a time like 2026-11-22 or 2026-11-22T15:04:05Z");
    Milliseconds& limit = name.typed == "before" ? result_.until : result_.from;
    if (limit != 0) return error(place, "a second " + std::string(name.typed) + ":");
    limit = *time;
    return done();
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t terms_ = 0;
  std::vector<std::string> wanted_, unwanted_;
  ParsedQuery result_;
};

}  // namespace

Question ParsedQuery::question(Id mailbox, std::uint32_t limit) const {
  Question question{words, from, until, limit};
  if (!mailbox.is_none()) question.words = quoted(mark_of(mailbox)) + " AND (" + words + ")";
  return question;
}

Result<ParsedQuery> parse_query(std::string_view text) { return Parser(text).run(); }

Question everything_in(Id mailbox, std::uint32_t limit) { return {quoted(mark_of(mailbox)), 0, 0, limit}; }

}  // namespace mailhold::search
