// ImapCommandFilter: between a worker and the server of a signed-in session. It reads the worker's commands whole, checks
// each against the purpose and its folders, and writes it again for the server, so that both count the same bytes:
// small literals become quoted strings, and the only literals that go on are the messages of an APPEND. Bytes above ASCII
// pass in quoted strings alone, as UTF-8, once the server has enabled UTF8=ACCEPT.
//
// A refused command is answered here ("NO [NOPERM]") and never reaches the server. What cannot be framed ends the session.
//
// An APPEND may bring several messages (RFC 3502) where the server takes that and their literals without asking. What stands
// before each one, flags and a date and nothing else, is read to its end, checked as before the first one, and written again
// before a byte of it goes on. By then the server has the beginning of the command and no answer of its own: what is refused
// there ends the session, and the server, which has not seen the command's end, takes none of its messages.
//
// Where the next bytes of the worker are read in another way after the server's word, that word must be known to be its own: no
// tag comes again while the server owes it an answer, and an APPEND that waits, IDLE and ENABLE are sent on only when it owes
// none. So a server that keeps to IMAP says "+" and the tag of such a command to nothing else. One that does not deceives itself:
// it may let a session of its own mailbox go wrong, and costs no more here than what is kept of its worker's commands.
#pragma once

#include <cstdint>
#include <set>
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
  bool multi_append = false;         // and MULTIAPPEND (RFC 3502); counts for nothing without literal_plus
};

inline constexpr std::size_t command_bytes_max = 64 * 1024;    // of what stands between messages, too
inline constexpr std::uint64_t append_bytes_max = 160U << 20;  // of all messages of one APPEND together
inline constexpr std::size_t append_messages_max = 64;         // of one APPEND
inline constexpr std::size_t open_commands_max = 1000;         // that the server has not answered

class ImapCommandFilter {
 public:
  explicit ImapCommandFilter(CommandRules rules) : rules_(std::move(rules)) {}

  // denied, invalid_input, limit_exceeded: the session must end. What was taken before that may still go to the server.
  Status receive(std::string_view from_worker);
  // While the server has not said whether it takes the message of an APPEND, whether it idles, or whether names of folders are
  // UTF-8 from now on, nothing may be received.
  bool wants_input() const {
    return state_ != State::awaiting_server && state_ != State::awaiting_enabled && state_ != State::awaiting_idle;
  }
  void server_continues();                     // "+"; it means nothing unless it is awaited
  void server_answered(std::string_view tag);  // a tagged line; it means nothing unless such a command is open
  void server_said(std::string_view line);     // every other line, in its order

  std::string take_for_server() { return std::move(for_server_); }
  std::string take_for_worker() { return std::move(for_worker_); }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t appended() const { return appended_; }  // messages of APPENDs that the server was given to their end

 private:
  enum class State {
    line,
    small_literal,
    awaiting_server,
    awaiting_enabled,
    awaiting_idle,
    message,
    skipped_message,
    message_end,
    idle,
    over
  };
  Status take_line(std::string_view line);
  Status begin_command(std::string_view& line);
  Status open_command(bool is_awaited);
  Status take_literal(std::uint64_t size, bool waits);
  Status take_message(const std::string& folder, std::string_view options, std::uint64_t size, bool waits);
  Status take_behind_message(std::string_view line);
  Status take_next_message(std::string_view line);
  Status count_message(std::uint64_t size);
  Result<std::string> checked_options(std::string_view options) const;
  Status finish_command();
  Status take_idle_line(std::string_view line);
  bool may_be_said(std::string_view text) const;
  void refuse(const std::string& word, const std::string& why);

  const CommandRules rules_;
  State state_ = State::line;
  FolderNames names_ = FolderNames::modified_utf7;
  std::string input_;    // not yet a line
  std::string command_;  // canonical, so far
  std::string tag_;
  std::set<std::string, std::less<>> open_;  // tags of what was sent on and is not answered
  std::string literal_;
  std::uint64_t literal_left_ = 0;
  bool message_skipped_ = false;  // the command was refused, whatever it still brings
  std::string folder_;            // of the APPEND that is under way
  std::size_t messages_ = 0;      // of it, so far
  std::uint64_t message_bytes_ = 0;
  std::string for_server_, for_worker_;
  std::uint64_t refused_ = 0, appended_ = 0;
};

}  // namespace mailhold::imap
