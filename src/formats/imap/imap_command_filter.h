// ImapCommandFilter: between a worker and the server of a signed-in session. It reads the worker's commands whole, checks
// each against the purpose and its folders, and writes it again for the server, so that both count the same bytes:
// small literals become quoted strings, and the only literal that goes on is the message of an APPEND.
//
// A refused command is answered here ("NO [NOPERM]") and never reaches the server. What cannot be framed ends the session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/imap/imap_purpose.h"

namespace mailhold::imap {

struct CommandRules {
  Purpose purpose = Purpose::backup_read;
  std::vector<std::string> folders;  // as is_in_scope
  bool literal_plus = false;         // the server takes LITERAL+ (RFC 7888)
};

inline constexpr std::size_t command_bytes_max = 64 * 1024;
inline constexpr std::uint64_t append_bytes_max = 160U << 20;

class ImapCommandFilter {
 public:
  explicit ImapCommandFilter(CommandRules rules) : rules_(std::move(rules)) {}

  // denied, invalid_input, limit_exceeded: the session must end.
  Status receive(std::string_view from_worker);
  // While the server has not said whether it takes the message of an APPEND, nothing may be received.
  bool wants_input() const { return state_ != State::awaiting_server; }
  void server_continues();                     // "+"
  void server_answered(std::string_view tag);  // a tagged line

  std::string take_for_server() { return std::move(for_server_); }
  std::string take_for_worker() { return std::move(for_worker_); }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t appended() const { return appended_; }

 private:
  enum class State { line, small_literal, awaiting_server, message, skipped_message, message_end, idle, over };
  Status take_line(std::string_view line);
  Status take_literal(std::uint64_t size, bool waits);
  Status take_message(std::uint64_t size, bool waits);
  Status finish_command();
  Status take_idle_line(std::string_view line);
  void refuse(const std::string& word, const std::string& why);

  const CommandRules rules_;
  State state_ = State::line;
  std::string input_;    // not yet a line
  std::string command_;  // canonical, so far
  std::string tag_;
  std::string literal_;
  std::uint64_t literal_left_ = 0;
  bool message_skipped_ = false;
  std::string for_server_, for_worker_;
  std::uint64_t refused_ = 0, appended_ = 0;
};

}  // namespace mailhold::imap
