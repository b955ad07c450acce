// ImapSession: runs commands one after the other on a session that is signed in already (it begins with PREAUTH).
// One thread at a time. After an error other than denied the session is of no use any more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/deadline.h"
#include "formats/imap/imap_reader.h"
#include "platform/net/stream.h"

namespace mailhold::mailboxes {

struct ImapSessionSettings {
  imap::ReaderLimits limits{};
  std::chrono::milliseconds silence_max{120'000};  // between two pieces of an answer
  std::size_t responses_max = 20'000'000;          // untagged, to one command
};

class ImapSession {
 public:
  using Take = std::function<Status(imap::Response& response)>;  // of untagged responses; an error ends the session

  // Reads the greeting, learns and enables what the server offers of CONDSTORE, QRESYNC and UTF8=ACCEPT.
  static Result<std::unique_ptr<ImapSession>> start(std::unique_ptr<net::Stream> stream, ImapSessionSettings settings,
                                                    const Deadline& deadline);

  bool has(std::string_view capability) const { return capabilities_.contains(std::string(capability)); }
  bool is_utf8() const { return is_utf8_; }
  bool has_qresync() const { return has_qresync_; }

  // The tagged OK. denied: NO or BAD; unavailable: a NO that says later, BYE, or the connection; corrupt: no IMAP.
  Result<imap::Response> run(const std::string& command, const Take& take, const Deadline& deadline);
  // In two halves, so that the next command is under way while this one is answered: the server must not be asked for
  // anything meanwhile whose answer depends on the order. Every tag is awaited, whatever another one came to, and a command may
  // be run to its end before those that were sent earlier are awaited. `take` sees all untagged responses that come until then.
  // Where a command can't be sent because the server has hung up, what it answered to earlier ones can still be awaited.
  Result<std::string> send(const std::string& command, const Deadline& deadline);  // its tag
  Result<imap::Response> await(const std::string& tag, const Take& take, const Deadline& deadline);
  // The same with a literal at the end: "APPEND ..." and the message. A server without LITERAL+ is asked first (RFC 7888).
  Result<imap::Response> run_with_literal(const std::string& command, std::string_view literal, const Deadline& deadline);
  // Whether a literal of that size goes out without asking; then it may be one of send_with_literals().
  bool takes_literal_at_once(std::size_t bytes) const;
  // One command with several literals, each behind words of its own; its tag. At least one part.
  struct Part {
    std::string_view words;
    std::string_view literal;
  };
  Result<std::string> send_with_literals(const std::string& command, const std::vector<Part>& parts, const Deadline& deadline);

  // For IDLE (RFC 2177), in which the server speaks when it likes; no other command is under way then. These never wait.
  Result<std::string> begin_idle();  // its tag, which the caller looks out for
  Status end_idle();
  // All that one look at the socket gives; empty if nothing is there now. unavailable: also BYE.
  Result<std::vector<imap::Response>> take_if_ready();
  Result<imap::Response> wait_for_any(const Deadline& deadline);  // one of them; waits
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  ImapSession(std::unique_ptr<net::Stream> stream, ImapSessionSettings settings)
      : stream_(std::move(stream)), settings_(settings), reader_(settings.limits) {}
  Status greet(const Deadline& deadline);
  Result<imap::Response> next(const Deadline& deadline);
  Status receive(std::string_view bytes);
  void learn(const std::vector<std::string>& capabilities);
  std::string next_tag() { return "m" + std::to_string(++commands_); }
  Status fail(Error error);

  std::unique_ptr<net::Stream> stream_;
  std::vector<char> room_ = std::vector<char>(net::Stream::read_bytes_max);
  const ImapSessionSettings settings_;
  imap::ImapReader reader_;
  std::set<std::string> capabilities_;  // in capital letters
  bool is_utf8_ = false;
  bool has_qresync_ = false;
  std::uint64_t commands_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::map<std::string, std::optional<imap::Response>> sent_;  // commands under way, with their end if it came early
  std::optional<Error> failure_;
};

}  // namespace mailhold::mailboxes
