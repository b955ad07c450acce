#include "formats/pop3/pop3_command_filter.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace mailhold::pop3 {
namespace {

constexpr std::size_t line_bytes_max = 512;  // RFC 2449 section 4: 255
constexpr std::size_t waiting_max = 1000;
constexpr std::size_t first_line_bytes_max = 4096;

bool are_numbers(const std::vector<std::string_view>& words, std::size_t min, std::size_t max) {
  return words.size() - 1 >= min && words.size() - 1 <= max &&
         std::all_of(words.begin() + 1, words.end(), [](std::string_view word) { return to_number(word).has_value(); });
}

}  // namespace

Status Pop3CommandFilter::receive(std::string_view bytes) {
  input_.append(bytes);
  for (std::size_t end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!line.ends_with('\r')) return Error{ErrorKind::invalid_input, "worker breaks POP3: a bare LF"};
    line.pop_back();
    RETURN_IF_ERROR(take_line(line));
  }
  if (input_.size() > line_bytes_max || waiting_.size() > waiting_max)
    return Error{ErrorKind::limit_exceeded, "worker sends commands without end"};
  return done();
}

Status Pop3CommandFilter::take_line(std::string_view line) {
  if (line.size() > line_bytes_max ||
      std::any_of(line.begin(), line.end(), [](char letter) { return letter < 0x20 || letter > 0x7e; }))
    return Error{ErrorKind::invalid_input, "worker breaks POP3: an odd line"};
  const auto words = split(line, ' ');
  const std::string command = to_lower(words[0]);
  const auto pass = [&](bool sound, bool fetches, bool many_lines) {
    if (sound) {
      waiting_.push_back({std::string(line) + "\r\n", fetches, many_lines});
    } else {
      waiting_.push_back({"-ERR that command cannot be read\r\n"});
    }
    return done();
  };
  if (command == "user" || command == "pass") {
    waiting_.push_back({"+OK signed in already\r\n"});
    return done();
  }
  if (command == "stat" || command == "noop" || command == "quit") return pass(words.size() == 1, false, false);
  if (command == "capa") {
    waiting_.push_back({"+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\n.\r\n"});
    return done();
  }
  if (command == "list" || command == "uidl") return pass(are_numbers(words, 0, 1), false, words.size() == 1);
  if (command == "retr") return pass(are_numbers(words, 1, 1), true, true);
  if (command == "top") return pass(are_numbers(words, 2, 2), true, true);
  if (may_delete_ && command == "dele") return pass(are_numbers(words, 1, 1), false, false);
  if (may_delete_ && command == "rset") return pass(words.size() == 1, false, false);
  ++refused_;
  waiting_.push_back({"-ERR [SYS/PERM] this purpose does not allow the command\r\n"});
  return done();
}

Pop3CommandFilter::Command Pop3CommandFilter::take_next() {
  Command command = std::move(waiting_.front());
  waiting_.pop_front();
  return command;
}

void Pop3AnswerScanner::expect(bool many_lines) {
  state_ = State::first_line;
  many_lines_ = many_lines;
  first_line_.clear();
  line_begin_.clear();
}

Result<std::size_t> Pop3AnswerScanner::scan(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::over) {
    const std::size_t end = bytes.find('\n', at);
    const std::size_t size = (end == std::string_view::npos ? bytes.size() : end + 1) - at;
    const std::string_view part = bytes.substr(at, size);
    at += size;
    if (state_ == State::first_line) {
      first_line_.append(part);
      if (first_line_.size() > first_line_bytes_max) return Error{ErrorKind::limit_exceeded, "server sends a line without end"};
      if (!first_line_.ends_with('\n')) continue;
      state_ = many_lines_ && first_line_.starts_with("+OK") ? State::lines : State::over;
      continue;
    }
    line_begin_.append(part.substr(0, 4 - std::min<std::size_t>(4, line_begin_.size())));
    if (end == std::string_view::npos) continue;
    if (line_begin_ == ".\r\n" || line_begin_ == ".\n") state_ = State::over;
    line_begin_.clear();
  }
  return at;
}

}  // namespace mailhold::pop3
