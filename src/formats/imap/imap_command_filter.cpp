#include "formats/imap/imap_command_filter.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace mailhold::imap {
namespace {

constexpr std::size_t small_literal_bytes_max = 1024;

Error broken(const char* what) { return {ErrorKind::invalid_input, std::string("worker breaks IMAP: ") + what}; }

struct LiteralMark {
  std::size_t begin = 0;  // of "{" in the line
  std::uint64_t size = 0;
  bool waits = true;  // for "+"
};

// "... {12}" or "... {12+}" at the end of a line.
std::optional<LiteralMark> literal_mark(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const std::size_t begin = line.rfind('{');
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(begin + 1, line.size() - begin - 2);
  const bool waits = !digits.ends_with('+');
  if (!waits) digits.remove_suffix(1);
  const auto size = digits.size() <= 10 ? to_number(digits) : std::nullopt;
  if (!size) return std::nullopt;
  return LiteralMark{begin, *size, waits};
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter >= 0x20 && letter < 0x7f; });
}

bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
           letter == '.' || letter == '-';
  });
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + '"';
}

// Cuts `text` at spaces outside of quotes, parentheses and brackets; a word that is quoted whole is decoded.
std::optional<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < text.size()) {
    std::string word;
    const bool is_quoted = text[at] == '"';
    int depth = 0;
    bool in_quotes = false;
    const std::size_t begin = at;
    for (; at < text.size(); ++at) {
      const char letter = text[at];
      if (in_quotes) {
        if (letter == '\\') {
          if (++at == text.size() || (text[at] != '"' && text[at] != '\\')) return std::nullopt;
        } else if (letter == '"') {
          in_quotes = false;
        }
        if (is_quoted && in_quotes) word += text[at];
        continue;
      }
      if (letter == ' ' && depth == 0) break;
      if (letter == '{' || letter == '}') return std::nullopt;
      if (letter == '"') {
        if (depth == 0 && at != begin) return std::nullopt;  // a quote inside an atom
        in_quotes = true;
      } else if (is_quoted) {
        return std::nullopt;  // something behind a closing quote
      }
      if (letter == '(' || letter == '[') ++depth;
      if ((letter == ')' || letter == ']') && --depth < 0) return std::nullopt;
    }
    if (in_quotes || depth != 0 || at == begin) return std::nullopt;
    words.push_back(is_quoted ? word : std::string(text.substr(begin, at - begin)));
    if (at < text.size() && ++at == text.size()) return std::nullopt;  // a space at the end
  }
  return words;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char letter) { return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter; });
  return out;
}

// `command` is without its tag.
std::optional<Words> read_words(std::string_view command) {
  auto all = words_of(command);
  if (!all || all->empty() || !is_tag((*all)[0])) return std::nullopt;
  Words words;
  std::size_t first = 1;
  words.keywords.push_back(upper((*all)[0]));
  if (words.keywords[0] == "UID") {
    if (all->size() < 2) return std::nullopt;
    words.keywords.push_back(upper((*all)[1]));
    first = 2;
  }
  words.arguments.assign(all->begin() + static_cast<std::ptrdiff_t>(first), all->end());
  return words;
}

}  // namespace

void ImapCommandFilter::refuse(const std::string& word, const std::string& why) {
  ++refused_;
  for_worker_ += tag_ + " " + word + " " + why + "\r\n";
  command_.clear();
}

Status ImapCommandFilter::receive(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::over: return done();  // it said LOGOUT
      case State::awaiting_server: return Error{ErrorKind::bug, "bytes while the server is to speak"};
      case State::small_literal:
      case State::message:
      case State::skipped_message: {
        const std::string_view part = bytes.substr(0, literal_left_);
        bytes.remove_prefix(part.size());
        literal_left_ -= part.size();
        if (state_ == State::small_literal) literal_.append(part);
        if (state_ == State::message) for_server_.append(part);
        if (literal_left_ > 0) break;
        if (state_ == State::small_literal) {
          if (!is_printable(literal_)) return broken("a literal that no quoted string can hold");
          command_ += quoted(literal_);
          state_ = State::line;
        } else {
          state_ = State::message_end;
        }
        break;
      }
      case State::line:
      case State::message_end:
      case State::idle: {
        const std::size_t end = bytes.find('\n');
        input_.append(bytes.substr(0, end == std::string_view::npos ? end : end + 1));
        bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
        if (input_.size() + command_.size() > command_bytes_max)
          return Error{ErrorKind::limit_exceeded, "worker sends a command without end"};
        if (end == std::string_view::npos) return done();
        if (!input_.ends_with("\r\n")) return broken("a bare LF");
        const std::string line = input_.substr(0, input_.size() - 2);
        input_.clear();
        RETURN_IF_ERROR(state_ == State::idle ? take_idle_line(line) : take_line(line));
        if (state_ == State::awaiting_server && !bytes.empty()) {
          // It did not wait for the server's word: what follows could be read as a command.
          return broken("a message that did not wait for the server");
        }
        break;
      }
    }
  }
  return done();
}

Status ImapCommandFilter::take_line(std::string_view line) {
  if (!is_printable(line)) return broken("a line with control characters or bytes above ASCII");
  if (state_ == State::message_end) {
    // More than one message (MULTIAPPEND) is not taken.
    if (!line.empty()) return broken("something behind the message of an APPEND");
    state_ = State::line;
    if (!message_skipped_) {
      for_server_ += "\r\n";
      ++appended_;
    }
    return done();
  }
  if (command_.empty()) {
    const std::size_t space = line.find(' ');
    tag_ = line.substr(0, space);
    if (!is_tag(tag_) || space == std::string_view::npos) return broken("a command without a tag");
    line.remove_prefix(space + 1);
  }
  if (const auto mark = literal_mark(line)) {
    command_ += line.substr(0, mark->begin);
    return take_literal(mark->size, mark->waits);
  }
  command_ += line;
  return finish_command();
}

Status ImapCommandFilter::take_literal(std::uint64_t size, bool waits) {
  if (!command_.ends_with(' ') && !command_.ends_with('(')) return broken("a literal in the middle of a word");
  const auto words = read_words(std::string_view(command_).substr(0, command_.size() - (command_.ends_with(' ') ? 1 : 0)));
  if (words && words->keywords[0] == "APPEND" && !words->arguments.empty()) return take_message(size, waits);
  if (size > small_literal_bytes_max) return Error{ErrorKind::limit_exceeded, "worker sends a literal that is too long"};
  if (waits) for_worker_ += "+ go on\r\n";
  literal_.clear();
  literal_left_ = size;
  state_ = State::small_literal;
  if (size == 0) {
    command_ += "\"\"";
    state_ = State::line;
  }
  return done();
}

Status ImapCommandFilter::take_message(std::uint64_t size, bool waits) {
  const std::string command = command_.substr(0, command_.size() - 1);
  command_.clear();
  if (size == 0 || size > append_bytes_max)
    return Error{ErrorKind::limit_exceeded, "worker appends an empty message or one that is too long"};
  literal_left_ = size;
  const auto words = read_words(command);
  const Status allowed =
      words ? check_command(rules_.purpose, rules_.folders, *words) : Status(broken("an APPEND that cannot be read"));
  message_skipped_ = !allowed;
  if (!allowed) {
    refuse("NO [NOPERM]", allowed.error().detail);
    state_ = waits ? State::line : State::skipped_message;
    return done();
  }
  if (!waits && !rules_.literal_plus) return broken("a literal that does not wait, which the server does not take");
  for_server_ += tag_ + " " + command + " {" + std::to_string(size) + (rules_.literal_plus ? "+}\r\n" : "}\r\n");
  state_ = rules_.literal_plus ? State::message : State::awaiting_server;
  if (waits && rules_.literal_plus) for_worker_ += "+ go on\r\n";
  return done();
}

void ImapCommandFilter::server_continues() {
  if (state_ == State::awaiting_server) state_ = State::message;
}

void ImapCommandFilter::server_answered(std::string_view tag) {
  if (state_ == State::awaiting_server && tag == tag_) state_ = State::line;
}

Status ImapCommandFilter::finish_command() {
  const std::string command = std::exchange(command_, {});
  const auto words = read_words(command);
  if (!words) {
    refuse("BAD", "the command cannot be read");
    return done();
  }
  if (const Status allowed = check_command(rules_.purpose, rules_.folders, *words); !allowed) {
    refuse("NO [NOPERM]", allowed.error().detail);
    return done();
  }
  if (words->keywords[0] == "APPEND") {
    refuse("BAD", "APPEND without a message");
    return done();
  }
  for_server_ += tag_ + " " + command + "\r\n";
  if (words->keywords[0] == "IDLE") state_ = State::idle;
  if (words->keywords[0] == "LOGOUT") state_ = State::over;
  return done();
}

Status ImapCommandFilter::take_idle_line(std::string_view line) {
  if (!equals_ignoring_case(line, "DONE")) return broken("a command during IDLE");
  for_server_ += "DONE\r\n";
  state_ = State::line;
  return done();
}

}  // namespace mailhold::imap
