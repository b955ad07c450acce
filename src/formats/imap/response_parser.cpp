#include "formats/imap/response_parser.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::imap {
namespace {

struct Value {
  enum class Kind { atom, text, nil, list };  // text: quoted, or a literal
  Kind kind = Kind::nil;
  std::string text{};
  std::vector<Value> items{};
};

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char letter) { return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter; });
  return out;
}

// Walks over the pieces of a response; the end of each but the last stands for a literal.
class Cursor {
 public:
  Cursor(const std::vector<std::string>& pieces, std::vector<std::string>& literals, const ParserLimits& limits)
      : pieces_(pieces), literals_(literals), limits_(limits) {}

  bool at_end() const { return at_literal() ? false : rest().empty(); }
  std::string_view rest() const { return std::string_view(pieces_[piece_]).substr(at_); }
  bool at_literal() const { return rest().empty() && piece_ + 1 < pieces_.size(); }
  void skip_spaces() {
    while (!rest().empty() && (rest().front() == ' ' || rest().front() == '\t')) ++at_;
  }
  // Up to the next space; empty at a literal.
  std::string_view word() {
    skip_spaces();
    const std::string_view found = rest().substr(0, rest().find(' '));
    at_ += found.size();
    return found;
  }

  // limit_exceeded, or invalid_input for what is no value.
  Result<Value> value(std::size_t depth = 0) {
    if (++values_ > limits_.values_max) return Error{ErrorKind::limit_exceeded, "the server sends a response of too many parts"};
    if (depth > limits_.depth_max) return Error{ErrorKind::limit_exceeded, "the server nests a response too deeply"};
    skip_spaces();
    if (at_literal()) return Value{Value::Kind::text, take_literal()};
    if (rest().empty()) return malformed();
    if (rest().front() == '"') return quoted();
    if (rest().front() == '(') return list(depth);
    return atom();
  }

 private:
  static Error malformed() { return {ErrorKind::invalid_input, "a response that makes no sense"}; }

  std::string take_literal() {
    std::string literal = std::move(literals_[piece_]);
    ++piece_;
    at_ = 0;
    return literal;
  }

  Result<Value> quoted() {
    Value value{Value::Kind::text};
    for (++at_; !rest().empty(); ++at_) {
      char letter = rest().front();
      if (letter == '"') {
        ++at_;
        return value;
      }
      if (letter == '\\' && rest().size() > 1) {
        ++at_;
        letter = rest().front();
      }
      value.text += letter;
    }
    return malformed();
  }

  Result<Value> list(std::size_t depth) {
    Value value{Value::Kind::list};
    ++at_;
    for (;;) {
      skip_spaces();
      if (!at_literal() && rest().empty()) return malformed();
      if (!at_literal() && rest().front() == ')') {
        ++at_;
        return value;
      }
      ASSIGN_OR_RETURN(Value item, this->value(depth + 1));
      value.items.push_back(std::move(item));
    }
  }

  // An atom goes up to a space or a parenthesis; a section in brackets may hold both: BODY[HEADER.FIELDS (TO)]<0>.
  Result<Value> atom() {
    Value value{Value::Kind::atom};
    bool in_section = false;
    while (!rest().empty()) {
      const char letter = rest().front();
      if (!in_section && (letter == ' ' || letter == '(' || letter == ')' || letter == '"')) break;
      if (letter == '[') in_section = true;
      if (letter == ']') in_section = false;
      value.text += letter;
      ++at_;
    }
    if (value.text.empty()) return malformed();
    if (equals_ignoring_case(value.text, "NIL")) return Value{};
    return value;
  }

  const std::vector<std::string>& pieces_;
  std::vector<std::string>& literals_;
  const ParserLimits& limits_;
  std::size_t piece_ = 0;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

std::optional<std::uint32_t> small_number(std::string_view digits) {
  const auto number = to_number(digits);
  if (!number || *number > 0xffffffffU) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

Condition condition_of(std::string_view word) {
  if (equals_ignoring_case(word, "OK")) return Condition::ok;
  if (equals_ignoring_case(word, "NO")) return Condition::no;
  if (equals_ignoring_case(word, "BAD")) return Condition::bad;
  if (equals_ignoring_case(word, "BYE")) return Condition::bye;
  if (equals_ignoring_case(word, "PREAUTH")) return Condition::preauth;
  return Condition::none;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

void read_condition(std::string_view rest, Response& response) {
  response.kind = Response::Kind::condition;
  rest = trim(rest);
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    const std::string_view inside = rest.substr(1, end == std::string_view::npos ? end : end - 1);
    response.code_words = words_of(inside);
    if (!response.code_words.empty()) {
      response.code = upper(response.code_words.front());
      response.code_words.erase(response.code_words.begin());
    }
    if (response.code == "CAPABILITY") response.capabilities = response.code_words;
    rest = end == std::string_view::npos ? std::string_view() : trim(rest.substr(end + 1));
  }
  response.text = rest;
}

Status read_list(Cursor& cursor, Response& response) {
  ASSIGN_OR_RETURN(const Value attributes, cursor.value());
  ASSIGN_OR_RETURN(const Value separator, cursor.value());
  ASSIGN_OR_RETURN(const Value name, cursor.value());
  if (attributes.kind != Value::Kind::list || name.kind == Value::Kind::list) return done();
  for (const Value& each : attributes.items) response.folder.attributes.push_back(each.text);
  response.folder.separator = separator.text.substr(0, 1);
  response.folder.name = name.kind == Value::Kind::nil ? "NIL" : name.text;  // an atom: a folder may be called so
  response.kind = Response::Kind::list;
  return done();
}

// The value that follows a name in a FETCH. What has a wrong form is as if it had not been sent.
void read_fetch_value(const std::string& name, Value& value, FetchedMessage& message, std::uint64_t dropped) {
  if (name == "UID") message.uid = small_number(value.text).value_or(0);
  if (name == "RFC822.SIZE") message.size = to_number(value.text);
  if (name == "INTERNALDATE") message.date = parse_internal_date(value.text);
  if (name == "MODSEQ" && value.kind == Value::Kind::list && !value.items.empty())
    message.modseq = to_number(value.items[0].text);
  if (name == "FLAGS" && value.kind == Value::Kind::list) {
    message.flags.emplace();
    for (const Value& flag : value.items) message.flags->push_back(flag.text);
  }
  if (name == "BODY[]" || name == "BINARY[]" || name == "RFC822") {
    if (dropped > 0)
      message.content_bytes_dropped = dropped;
    else if (value.kind == Value::Kind::text)
      message.content = std::move(value.text);
  }
}

Status read_fetch(Cursor& cursor, Response& response, std::uint64_t dropped) {
  ASSIGN_OR_RETURN(Value all, cursor.value());
  if (all.kind != Value::Kind::list) return done();
  // Names and values in turn. Domino puts some pairs into parentheses of their own.
  for (std::size_t i = 0; i < all.items.size(); ++i) {
    if (all.items[i].kind == Value::Kind::list) {
      for (std::size_t j = 0; j + 1 < all.items[i].items.size(); j += 2)
        read_fetch_value(upper(all.items[i].items[j].text), all.items[i].items[j + 1], response.message, dropped);
      continue;
    }
    if (i + 1 == all.items.size()) break;
    read_fetch_value(upper(all.items[i].text), all.items[i + 1], response.message, dropped);
    ++i;
  }
  response.kind = Response::Kind::fetch;
  return done();
}

void read_search(std::string_view rest, Response& response) {
  response.kind = Response::Kind::search;
  for (const std::string_view word : split(rest, ' ')) {
    if (word.starts_with('(')) break;  // (MODSEQ 917162500)
    if (const auto number = small_number(word); number && *number > 0) response.numbers.push_back(*number);
  }
}

void read_vanished(std::string_view rest, Response& response) {
  rest = trim(rest);
  if (starts_with_ignoring_case(rest, "(EARLIER)")) rest = trim(rest.substr(9));
  auto ranges = parse_uid_set(rest);
  if (!ranges) return;
  response.kind = Response::Kind::vanished;
  response.vanished = std::move(*ranges);
}

Status read_untagged(Cursor& cursor, Response& response, const ParserLimits& limits) {
  const std::string word = upper(cursor.word());
  response.condition = condition_of(word);
  if (response.condition != Condition::none) {
    read_condition(cursor.rest(), response);
    return done();
  }
  if (word == "CAPABILITY") {
    response.kind = Response::Kind::capability;
    response.capabilities = words_of(cursor.rest());
  } else if (word == "ENABLED") {
    response.kind = Response::Kind::enabled;
    response.enabled = words_of(upper(cursor.rest()));
  } else if (word == "LIST") {
    return read_list(cursor, response);
  } else if (word == "SEARCH") {
    read_search(cursor.rest(), response);
  } else if (word == "VANISHED") {
    read_vanished(cursor.rest(), response);
  } else if (const auto number = small_number(word)) {
    const std::string what = upper(cursor.word());
    response.number = *number;
    if (what == "EXISTS") response.kind = Response::Kind::exists;
    if (what == "RECENT") response.kind = Response::Kind::recent;
    if (what == "EXPUNGE") response.kind = Response::Kind::expunge;
    if (what == "FETCH") return read_fetch(cursor, response, limits.content_bytes_dropped);
  }
  return done();
}

}  // namespace

Result<Response> parse_response(const std::vector<std::string>& pieces, std::vector<std::string>& literals,
                                const ParserLimits& limits) {
  Response response;
  Cursor cursor(pieces, literals, limits);
  const std::string_view first = cursor.word();
  if (first == "+") {
    response.kind = Response::Kind::continuation;
    response.text = trim(cursor.rest());
  } else if (first == "*") {
    const Status read = read_untagged(cursor, response, limits);
    if (!read && read.error().kind == ErrorKind::limit_exceeded) return read.error();
    if (!read) response = Response{};
  } else {
    const std::string tag(first);
    response.condition = condition_of(cursor.word());
    if (response.condition == Condition::none) return response;
    response.tag = tag;
    read_condition(cursor.rest(), response);
  }
  return response;
}

}  // namespace mailhold::imap
