#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "fakes/orderly_imap_server.h"
#include "formats/imap/imap_command_filter.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  return {
      "\0a1 CAPABILITY\r\na2 SELECT \"INBOX\"\r\na3 UID FETCH 1:* (FLAGS BODY.PEEK[])\r\na4 LOGOUT\r\n"s,
      "\0a1 EXAMINE {5}\r\nINBOX\r\na2 IDLE\r\nDONE\r\na3 APPEND INBOX {3+}\r\nabc\r\n"s,
      "\0a1 CREATE \"Mailhold proof 0123456789abcdef0123456789abcdef\"\r\na2 DELETE \"Mailhold proof 0123456789abcdef0123456789abcdef\"\r\n"s,
      "\0a1 APPEND INBOX (\\Seen) {3+}\r\nabc (a[) \"02-Nov-2026 10:00:00 +0000\" {4+}\r\n\r\nx {1+}\r\ny\r\na2 NOOP\r\n"s,
      "\0a1 APPEND INBOX {1+}\r\nx (\\Deleted) {1+}\r\nx\r\na2 NOOP\r\n"s,
      "\0a1 APPEND Sent {3+}\r\nabc (\\Deleted) {4+}\r\n\r\nx\r\na2 APPEND INBOX {1+}\r\nx () {1+}\r\ny\r\n"s,
      "\0a NOOP\r\nb LIST \"\" *\r\n\xff\xff"
      "c APPEND INBOX {3}\r\n\xff"
      "abc\r\n\xff"
      "d IDLE\r\n\xff"
      "DONE\r\n\xff"
      "e NOOP\r\n"s,
      "\0a NOOP\r\na APPEND INBOX {3}\r\n\xff"
      "b IDLE\r\n\xff\xfe"
      "c APPEND INBOX {999}\r\n\xff"
      "d ENABLE UTF8=ACCEPT\r\n\xff\xff"s};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n",       "\n",
          "\"",         "\\",
          "{1}\r\n",    "{1+}\r\n",
          "(",          ")",
          "[",          "]",
          " ",          "DELETE",
          "STORE",      "APPEND",
          "INBOX",      "\\Deleted",
          "(\\Seen)",   " {1+}\r\nx",
          "~{1+}\r\n",  "CATENATE",
          "\xff",       "\xfe",
          "a NOOP\r\n", "b IDLE\r\n",
          "DONE\r\n",   "c APPEND INBOX {9}\r\n"};
}

namespace {

using mailhold::imap::CommandRules, mailhold::imap::Purpose, mailhold::imap::ImapCommandFilter;

const CommandRules reading = {Purpose::backup_read, {"INBOX"}, true, true};
const CommandRules restoring = {Purpose::restore_write, {"INBOX"}, true, true};

// In one piece or in two, and read again: the server sees the same, so that nothing was framed in two ways.
void check_framing(const CommandRules& rules, std::string_view bytes, std::size_t cut) {
  ImapCommandFilter whole(rules), parts(rules), again(rules);
  const bool goes_on = static_cast<bool>(whole.receive(bytes));
  const bool parts_go_on = parts.receive(bytes.substr(0, cut)) && parts.receive(bytes.substr(cut));
  const std::string server = whole.take_for_server();
  if (goes_on != parts_go_on || server != parts.take_for_server()) std::abort();
  // What a session ended with is the beginning of a command, and as good as any.
  if (!again.receive(server) || again.refused() != 0 || again.take_for_server() != server) std::abort();
}

// "{12+}" at the end of a line of the server's; 0 if there is none.
std::size_t announced(std::string_view line) {
  const std::size_t begin = line.rfind(" {");
  if (begin == std::string_view::npos || !line.ends_with("+}")) return 0;
  return static_cast<std::size_t>(mailhold::to_number(line.substr(begin + 2, line.size() - begin - 4)).value_or(0));
}

// Reads as a server does what came for it: every line outside of messages is a command of those that restore, or brings one more
// message to an APPEND, with flags and a date at most; all of INBOX, and nothing of \\Deleted.
void check_restoring(std::string_view server) {
  std::size_t messages = 0;  // of the command under way
  while (!server.empty()) {
    const std::size_t end = server.find("\r\n");
    if (end == std::string_view::npos) std::abort();
    const std::string line = mailhold::to_lower(server.substr(0, end));
    server.remove_prefix(end + 2);
    const std::size_t size = announced(line);
    if (size > 0 && line.find("\\deleted") != std::string::npos) std::abort();
    if (messages > 0) {
      if (line.empty()) {
        messages = 0;
        continue;
      }
      if (size == 0 || !(line.starts_with(" (") || line.starts_with(" \"") || line.starts_with(" {"))) std::abort();
    } else {
      const std::string_view command = std::string_view(line).substr(line.find(' ') + 1);
      if (command.starts_with("append ") != (size > 0)) std::abort();
      if (size > 0 && !command.starts_with("append \"inbox\" ")) std::abort();
      for (const std::string_view word : {"delete ", "expunge", "login ", "copy ", "uid copy ", "uid expunge", "rename "})
        if (command.starts_with(word)) std::abort();
    }
    if (size == 0) continue;
    if (++messages > mailhold::imap::append_messages_max) std::abort();
    server.remove_prefix(std::min(size, server.size()));
  }
}

// A session with a server that asks for the word before each message: each byte 0xff has it speak once, 0xfe end its idling.
class Conversation {
 public:
  void run(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t end = std::min(bytes.find_first_of("\xff\xfe"), bytes.size());
      written_ += bytes.substr(0, end);
      pass();
      if (end < bytes.size()) hear(bytes[end] == '\xff' ? server_.speak() : server_.end_idle());
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
      pass();
    }
    while (hear(server_.speak())) pass();
  }
  // Both count the same, where the session ended, too.
  void check() const {
    if (!server_.strays().empty() || server_.messages() != filter_.appended()) std::abort();
  }

 private:
  void pass() {
    if (!written_.empty() && goes_on_ && filter_.wants_input())
      goes_on_ = static_cast<bool>(filter_.receive(std::exchange(written_, {})));
    server_.receive(filter_.take_for_server());
  }
  bool hear(const std::optional<std::string>& line) {
    if (!line) return false;
    if (line->starts_with("+"))
      filter_.server_continues();
    else if (line->starts_with("*"))
      filter_.server_said(*line);
    else
      filter_.server_answered(line->substr(0, line->find(' ')));
    return true;
  }
  ImapCommandFilter filter_{{Purpose::restore_write, {"INBOX"}, false, false}};
  mailhold::OrderlyImapServer server_{100};
  std::string written_;  // by the worker, not yet taken
  bool goes_on_ = true;
};

}  // namespace

// Whatever a worker says, in whatever pieces: the server sees the same, and outside of messages never a word of these.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % (bytes.size() + 1);
  check_framing(reading, bytes, cut);
  check_framing(restoring, bytes, cut);
  Conversation conversation;
  conversation.run(bytes);
  conversation.check();
  ImapCommandFilter whole(reading), restore(restoring);
  (void)whole.receive(bytes);
  const std::string server = whole.take_for_server();
  (void)restore.receive(bytes);
  check_restoring(restore.take_for_server());
  for (const std::string_view word : {" delete ", " expunge", " append ", " login ", " store "}) {
    for (const std::string_view line : split(server, '\n')) {
      const std::string lower = to_lower(line);
      const std::size_t space = lower.find(' ');
      if (space != std::string::npos && lower.compare(space, word.size(), word) == 0) std::abort();
    }
  }
  // A proof names its own folder in what changes anything, or nothing passes.
  ImapCommandFilter proof({Purpose::backup_prove, {"*"}, true, true});
  if (!proof.receive(bytes)) return 0;
  const std::string of_proof = proof.take_for_server();
  if (to_lower(of_proof).find(" append ") != std::string::npos) return 0;  // a message may say anything
  for (const std::string_view line : split(of_proof, '\n')) {
    const std::string lower = to_lower(line);
    const std::size_t space = lower.find(' ');
    for (const std::string_view word : {" delete ", " create ", " select ", " examine "}) {
      if (space != std::string::npos && lower.compare(space, word.size(), word) == 0 &&
          line.find("Mailhold proof ") == std::string_view::npos)
        std::abort();
    }
  }
  return 0;
}
