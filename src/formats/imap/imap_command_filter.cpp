#include "formats/imap/imap_command_filter.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/imap/folder_name.h"
#include "formats/imap/imap_response.h"

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
      if (static_cast<unsigned char>(letter) >= 0x80) return std::nullopt;
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

// "APPEND Sent (\Seen) \"17-Jul-1996 02:44:25 -0700\"": an APPEND as far as its message.
struct AppendHead {
  std::string folder;
  std::string_view options;  // what follows the folder, as it was said: "", or with a space before each word
};

std::size_t end_of_word(std::string_view text) {
  if (!text.starts_with('"')) return std::min(text.find(' '), text.size());
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

std::optional<AppendHead> read_append(std::string_view command) {
  constexpr std::string_view word = "APPEND ";
  if (!starts_with_ignoring_case(command, word)) return std::nullopt;
  command.remove_prefix(word.size());
  const std::size_t end = end_of_word(command);
  auto folder = words_of(command.substr(0, end));
  if (!folder || folder->size() != 1) return std::nullopt;
  command.remove_prefix(end);
  return AppendHead{std::move(folder->front()), command};
}

bool is_flag_list(std::string_view text) {
  if (text == "()") return true;
  const auto flags = split(text.substr(1, text.size() - 2), ' ');
  return std::all_of(flags.begin(), flags.end(), is_flag);
}

// What may stand before a message, "[ (flags)][ \"date\"]", as its words. No other word passes: behind UTF8, CATENATE or URL more
// than a message, or one of another folder, could follow (RFC 4469, RFC 6855).
std::optional<std::vector<std::string>> read_append_options(std::string_view text) {
  std::vector<std::string> words;
  if (text.starts_with(" (")) {
    const std::size_t end = text.find(')');
    if (end == std::string_view::npos || !is_flag_list(text.substr(1, end))) return std::nullopt;
    words.emplace_back(text.substr(1, end));
    text.remove_prefix(end + 1);
  }
  if (text.empty()) return words;
  if (text.size() < 3 || !text.starts_with(" \"") || !text.ends_with('"')) return std::nullopt;
  const auto date = parse_internal_date(text.substr(2, text.size() - 3));
  if (!date) return std::nullopt;
  words.push_back(quoted(write_internal_date(*date)));
  return words;
}

}  // namespace

bool ImapCommandFilter::may_be_said(std::string_view text) const {
  if (names_ == FolderNames::modified_utf7) return is_printable(text);
  return is_utf8(text) && std::ranges::none_of(text, [](char letter) {
           const auto byte = static_cast<unsigned char>(letter);
           return byte < 0x20 || byte == 0x7f;
         });
}

void ImapCommandFilter::refuse(const std::string& word, const std::string& why) {
  ++refused_;
  for_worker_ += tag_ + " " + word + " " + why + "\r\n";
  command_.clear();
}

Status ImapCommandFilter::receive(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::over: return done();  // it said LOGOUT
      case State::awaiting_server:
      case State::awaiting_enabled:
      case State::awaiting_idle: return Error{ErrorKind::bug, "bytes while the server is to speak"};
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
          if (!may_be_said(literal_)) return broken("a literal that no quoted string can hold");
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
        // How they are to be read, only the server's answer says.
        if (!wants_input() && !bytes.empty()) return broken("bytes that did not wait for the server's answer");
        break;
      }
    }
  }
  return done();
}

Status ImapCommandFilter::take_line(std::string_view line) {
  if (!may_be_said(line)) return broken("a line with control characters or bytes above ASCII");
  if (state_ == State::message_end) return take_behind_message(line);
  if (command_.empty()) RETURN_IF_ERROR(begin_command(line));
  if (const auto mark = literal_mark(line)) {
    command_ += line.substr(0, mark->begin);
    return take_literal(mark->size, mark->waits);
  }
  command_ += line;
  return finish_command();
}

// Takes the tag off `line`.
Status ImapCommandFilter::begin_command(std::string_view& line) {
  const std::size_t space = line.find(' ');
  tag_ = line.substr(0, space);
  if (!is_tag(tag_) || space == std::string_view::npos) return broken("a command without a tag");
  // A server that ended IDLE by itself may answer a DONE that was under way as a command of that tag.
  if (equals_ignoring_case(tag_, "DONE")) return broken("a tag that ends IDLE");
  if (open_.contains(tag_)) return broken("a tag that comes again before it is answered");
  line.remove_prefix(space + 1);
  return done();
}

// Before a command is sent on.
Status ImapCommandFilter::open_command(bool is_awaited) {
  if (is_awaited && !open_.empty()) return broken("a command to be awaited, and others that are not answered");
  if (open_.size() == open_commands_max)
    return Error{ErrorKind::limit_exceeded, "worker sends too many commands that are not answered"};
  open_.insert(tag_);
  return done();
}

Status ImapCommandFilter::take_literal(std::uint64_t size, bool waits) {
  if (!command_.ends_with(' ') && !command_.ends_with('(')) return broken("a literal in the middle of a word");
  const std::string command = command_.substr(0, command_.size() - (command_.ends_with(' ') ? 1 : 0));
  if (const auto append = read_append(command)) return take_message(append->folder, append->options, size, waits);
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

Status ImapCommandFilter::count_message(std::uint64_t size) {
  if (messages_ == append_messages_max) return Error{ErrorKind::limit_exceeded, "worker appends too many messages at once"};
  if (size == 0 || size > append_bytes_max - message_bytes_)
    return Error{ErrorKind::limit_exceeded, "worker appends an empty message or one that is too long"};
  ++messages_;
  message_bytes_ += size;
  literal_left_ = size;
  return done();
}

// As they go to the server; denied.
Result<std::string> ImapCommandFilter::checked_options(std::string_view options) const {
  const auto read = read_append_options(options);
  if (!read) return Error{ErrorKind::denied, "an APPEND that cannot be read"};
  Words words{{"APPEND"}, {folder_}};
  words.arguments.insert(words.arguments.end(), read->begin(), read->end());
  RETURN_IF_ERROR(check_command(rules_.purpose, rules_.folders, words, names_));
  std::string written;
  for (const std::string& each : *read) written += " " + each;
  return written;
}

Status ImapCommandFilter::take_message(const std::string& folder, std::string_view options, std::uint64_t size, bool waits) {
  command_.clear();
  folder_ = folder;
  messages_ = 0;
  message_bytes_ = 0;
  RETURN_IF_ERROR(count_message(size));
  const Result<std::string> allowed = checked_options(options);
  message_skipped_ = !allowed;
  if (!allowed) {
    refuse("NO [NOPERM]", allowed.error().detail);
    state_ = waits ? State::line : State::skipped_message;
    return done();
  }
  if (!waits && !rules_.literal_plus) return broken("a literal that does not wait, which the server does not take");
  RETURN_IF_ERROR(open_command(!rules_.literal_plus));
  for_server_ +=
      tag_ + " APPEND " + quoted(folder) + *allowed + " {" + std::to_string(size) + (rules_.literal_plus ? "+}\r\n" : "}\r\n");
  state_ = rules_.literal_plus ? State::message : State::awaiting_server;
  if (waits && rules_.literal_plus) for_worker_ += "+ go on\r\n";
  return done();
}

// An empty line ends the command.
Status ImapCommandFilter::take_behind_message(std::string_view line) {
  if (!line.empty()) return take_next_message(line);
  state_ = State::line;
  if (message_skipped_) return done();
  for_server_ += "\r\n";
  appended_ += messages_;
  return done();
}

// " (\Seen) {12+}": one more message of the same command.
Status ImapCommandFilter::take_next_message(std::string_view line) {
  if (!rules_.multi_append || !rules_.literal_plus) return broken("something behind the message of an APPEND");
  const auto mark = literal_mark(line);
  if (!mark || mark->waits || mark->begin == 0 || !line.starts_with(' ') || line[mark->begin - 1] != ' ')
    return broken("something behind a message that brings no other");
  RETURN_IF_ERROR(count_message(mark->size));
  if (message_skipped_) {
    state_ = State::skipped_message;
    return done();
  }
  const Result<std::string> allowed = checked_options(line.substr(0, mark->begin - 1));
  if (!allowed) {
    ++refused_;
    return allowed.error();
  }
  for_server_ += *allowed + " {" + std::to_string(mark->size) + "+}\r\n";
  state_ = State::message;
  return done();
}

void ImapCommandFilter::server_continues() {
  if (state_ == State::awaiting_server) state_ = State::message;
  if (state_ == State::awaiting_idle) state_ = State::idle;
}

void ImapCommandFilter::server_answered(std::string_view tag) {
  const auto command = open_.find(tag);
  if (command == open_.end()) return;
  open_.erase(command);
  // A server may also end IDLE by itself.
  if (tag == tag_ && (!wants_input() || state_ == State::idle)) state_ = State::line;
}

void ImapCommandFilter::server_said(std::string_view line) {
  if (state_ != State::awaiting_enabled || !starts_with_ignoring_case(line, "* ENABLED ")) return;
  for (const std::string_view word : split(trim(line), ' ')) {
    if (equals_ignoring_case(word, utf8_accept)) names_ = FolderNames::utf8;
  }
}

Status ImapCommandFilter::finish_command() {
  const std::string command = std::exchange(command_, {});
  const auto words = read_words(command);
  if (!words) {
    refuse("BAD", "the command cannot be read");
    return done();
  }
  if (const Status allowed = check_command(rules_.purpose, rules_.folders, *words, names_); !allowed) {
    refuse("NO [NOPERM]", allowed.error().detail);
    return done();
  }
  if (words->keywords[0] == "APPEND") {
    refuse("BAD", "APPEND without a message");
    return done();
  }
  const std::string& word = words->keywords[0];
  RETURN_IF_ERROR(open_command(word == "ENABLE" || word == "IDLE"));
  for_server_ += tag_ + " " + command + "\r\n";
  if (word == "ENABLE") state_ = State::awaiting_enabled;
  if (word == "IDLE") state_ = State::awaiting_idle;
  if (word == "LOGOUT") state_ = State::over;
  return done();
}

Status ImapCommandFilter::take_idle_line(std::string_view line) {
  if (!equals_ignoring_case(line, "DONE")) return broken("a command during IDLE");
  for_server_ += "DONE\r\n";
  state_ = State::line;
  return done();
}

}  // namespace mailhold::imap
