// Pop3CommandFilter: what a worker says in a session that is in the transaction state already. Refused commands are
// answered here in their turn; the others go on one at a time, so that answers of both sides keep their order.
//
// backup.read: STAT LIST UIDL TOP RETR NOOP CAPA QUIT. journal: DELE and RSET as well. USER and PASS are answered with +OK, for
// clients that cannot do without: whatever they say goes nowhere.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::pop3 {

class Pop3CommandFilter {
 public:
  explicit Pop3CommandFilter(bool may_delete) : may_delete_(may_delete) {}

  Status receive(std::string_view from_worker);  // limit_exceeded, invalid_input: the session must end
  // What is next, once the server has answered the one before: a command for it, or an answer of ours.
  struct Command {
    std::string line;
    bool fetches = false;     // RETR or TOP: an item
    bool many_lines = false;  // the answer ends with a dot
    bool is_ours() const { return line.starts_with('+') || line.starts_with('-'); }
  };
  bool has_next() const { return !waiting_.empty(); }
  Command take_next();
  std::uint64_t refused() const { return refused_; }

 private:
  Status take_line(std::string_view line);
  const bool may_delete_;
  std::string input_;
  std::deque<Command> waiting_;
  std::uint64_t refused_ = 0;
};

// Pop3AnswerScanner: where the answer to one command ends.
class Pop3AnswerScanner {
 public:
  void expect(bool many_lines);
  bool is_over() const { return state_ == State::over; }
  // How many of the bytes belong to the answer; limit_exceeded: a first line without end.
  Result<std::size_t> scan(std::string_view bytes);

 private:
  enum class State { first_line, lines, over };
  State state_ = State::over;
  bool many_lines_ = false;
  std::string first_line_;
  std::string line_begin_;  // the first three bytes of the line that arrives
};

}  // namespace mailhold::pop3
