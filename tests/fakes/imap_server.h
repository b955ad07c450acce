// An IMAP server in the same process, as much of one as a backup and a restore need, with the faults that real ones have.
// Sessions are signed in already. Written from RFC 9051 and RFC 7162; Dovecot is asked the same questions
// by the same contract test. Change `folders` and `faults` only while no command runs.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/text.h"
#include "features/mailboxes/mailbox.h"
#include "formats/imap/folder_name.h"
#include "formats/imap/imap_response.h"
#include "platform/net/stream.h"

namespace mailhold {

struct FakeMessage {
  std::uint32_t uid = 0;
  std::string content;
  std::set<std::string> flags;
  std::string date = "17-Jul-1996 02:44:25 -0700";
  std::uint64_t modseq = 1;
};

struct FakeFolder {
  std::uint32_t uid_validity = 1000;
  std::uint32_t uid_next = 1;
  std::uint64_t modseq = 1;
  std::string attributes;
  std::vector<FakeMessage> messages;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> vanished;  // uid, modseq

  FakeMessage& add(std::string content, std::set<std::string> flags = {}) {
    messages.push_back({uid_next++, std::move(content), std::move(flags)});
    messages.back().modseq = ++modseq;
    return messages.back();
  }
  void remove(std::size_t index) {
    vanished.emplace_back(messages[index].uid, ++modseq);
    messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(index));
  }
  void mark(std::size_t index, std::set<std::string> flags) {
    messages[index].flags = std::move(flags);
    messages[index].modseq = ++modseq;
  }
};

class FakeImapServer final : public mailboxes::SessionSource {
 public:
  struct Faults {
    std::int64_t drop_after_bytes = -1;      // of what it sends in one session; then it hangs up. One session only
    std::set<std::uint32_t> unreadable;      // no content is given for these
    std::set<std::uint32_t> refused;         // a FETCH of contents that names one of these is answered NO
    std::int64_t contents_until_pause = -1;  // it gives; then it wants to be left alone
    std::int64_t appends_until_pause = -1;   // it takes; then the same
    bool lies_about_sizes = false;           // RFC822.SIZE
    bool claims_too_much = false;            // RFC822.SIZE, of every message
    // Of these so many bytes are given, answer by answer; then all.
    std::map<std::uint32_t, std::vector<std::size_t>> cut_off;
    bool announces_too_much = false;                    // literals end before their announced length
    bool sends_others_contents = false;                 // a content nobody asked for comes along
    bool hides_new = false;                             // CHANGEDSINCE and VANISHED tell nothing
    bool ignores_dates = false;                         // APPEND
    bool damages_appended = false;                      // a byte of what APPEND brings is changed
    bool drops_after_append = false;                    // takes the messages and hangs up without an answer, once
    std::int64_t drops_behind_messages = -1;            // so many of one APPEND have come; takes none and hangs up, once
    std::string refused_text;                           // an APPEND with a message that holds it is answered NO
    std::string wrong_uids;                             // what APPENDUID names instead of where the messages went
    bool refuses_idle = false;                          // says NO to it
    bool ignores_idle = false;                          // gives no answer to it
    bool ignores_done = false;                          // gives no answer to the end of it
    std::int64_t exists_by = 0;                         // EXISTS tells so many more than there are, or fewer
    std::uint32_t uid_next_told = 0;                    // UIDNEXT, whatever it is; 0: the truth
    std::set<std::uint32_t> without_uid;                // messages that are told without their UID,
    std::set<std::uint32_t> with_uid_zero;              // with UID 0,
    std::set<std::uint32_t> without_flags;              // without FLAGS,
    std::set<std::uint32_t> without_date;               // without INTERNALDATE
    std::int64_t new_validity_after_selects = -1;       // the folder that is opened then has another UIDVALIDITY, and other UIDs
    std::set<std::string> unlisted;                     // folders that LIST leaves out
    std::map<std::string, std::string> closed_folders;  // what SELECT and EXAMINE of a folder are answered instead of OK
  };

  FakeImapServer(
      std::string capabilities = "IMAP4rev1 ENABLE UIDPLUS LITERAL+ MULTIAPPEND CONDSTORE QRESYNC SPECIAL-USE LIST-EXTENDED")
      : capabilities_(std::move(capabilities)) {
    folders["INBOX"];
  }
  ~FakeImapServer() override { finish_sessions(); }

  // Until it has worked off what its clients wrote before they hung up; all of them must have.
  void finish_sessions() {
    for (std::thread& each : sessions_) each.join();
    sessions_.clear();
  }

  void offer(std::string capabilities) { capabilities_ = std::move(capabilities); }

  Result<ipc::OwnedFd> open(Id, Id, std::string_view purpose, const Deadline&) override {
    int ends[2];
    if (is_away) return Error{ErrorKind::unavailable, "the server is away"};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    purposes.emplace_back(purpose);
    sessions_.emplace_back([this, socket = ends[1]] { Session(*this, socket).serve(); });
    return ipc::OwnedFd(ends[0]);
  }

  // To everybody who idles, whatever folder is open; with the mutex held.
  void tell_idlers(const std::string& lines) {
    for (Session* each : idlers_) each->push(lines);
  }
  void drop_idlers() {  // the same
    for (Session* each : idlers_) each->end();
  }
  std::size_t idlers() {
    const std::lock_guard lock(mutex);
    return idlers_.size();
  }

  std::map<std::string, FakeFolder> folders;
  Faults faults;
  bool is_away = false;
  std::vector<std::string> purposes;
  std::vector<std::string> commands;  // all of them, without tags
  std::size_t contents_given = 0;
  std::mutex mutex;  // guards all of the above while a session runs

 private:
  class Session;
  bool has(std::string_view capability) const {
    return (" " + capabilities_ + " ").find(" " + std::string(capability) + " ") != std::string::npos;
  }

  class Session {
   public:
    Session(FakeImapServer& server, int socket) : server_(server), socket_(socket), stream_(net::stream_over(socket)) {}
    ~Session() {
      const std::lock_guard lock(server_.mutex);
      server_.idlers_.erase(this);
    }
    void end() const { ::shutdown(socket_, SHUT_RDWR); }
    // From another thread, while this one waits for what its client says.
    void push(const std::string& lines) { (void)stream_->write_all(lines, soon()); }

    void serve() {
      say("* PREAUTH [CAPABILITY " + server_.capabilities_ + "] hello\r\n");
      while (is_open_) {
        auto line = read_line();
        if (!line) return;
        const std::lock_guard lock(server_.mutex);
        if (server_.idlers_.contains(this)) {
          if (*line == "DONE" && !server_.faults.ignores_done) ok();
          server_.idlers_.erase(this);
          continue;
        }
        const std::size_t space = line->find(' ');
        tag_ = line->substr(0, space);
        handle(line->substr(space + 1));
      }
    }

   private:
    static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }
    void say(std::string bytes) {
      if (!is_open_) return;
      auto& left = server_.faults.drop_after_bytes;
      if (left >= 0 && static_cast<std::int64_t>(bytes.size()) > left) {
        (void)stream_->write_all(std::string_view(bytes).substr(0, static_cast<std::size_t>(left)), soon());
        left = -1;
        return hang_up();
      }
      if (left >= 0) left -= static_cast<std::int64_t>(bytes.size());
      if (!stream_->write_all(bytes, soon())) hang_up();
    }
    void hang_up() {
      is_open_ = false;
      stream_.reset();
    }
    void ok(const std::string& code = "") { say(tag_ + " OK " + (code.empty() ? "" : "[" + code + "] ") + "done\r\n"); }
    bool fill() {
      auto bytes = stream_->read_some(soon());
      if (!bytes || bytes->empty()) return false;
      input_ += *bytes;
      return true;
    }
    std::optional<std::string> read_line() {
      while (input_.find("\r\n") == std::string::npos) {
        if (!fill()) return std::nullopt;
      }
      const std::size_t end = input_.find("\r\n");
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 2);
      return line;
    }
    static std::string unquote(std::string_view text) {
      std::string out;
      for (std::size_t at = 1; at + 1 < text.size(); ++at) out += text[at] == '\\' ? text[++at] : text[at];
      return out;
    }
    // The quoted string at the beginning of `text`, which loses it.
    static std::string take_name(std::string& text) {
      std::size_t end = 1;
      while (text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      std::string name = unquote(std::string_view(text).substr(0, end + 1));
      text.erase(0, std::min(end + 2, text.size()));
      return name;
    }
    // `folders` has them in modified UTF-7, whatever this session speaks.
    std::string take_folder(std::string& text) const {
      const std::string name = take_name(text);
      return is_utf8_ ? imap::to_modified_utf7(name) : name;
    }
    std::string told_name(const std::string& name) const {
      return is_utf8_ ? imap::from_modified_utf7(name).value_or(name) : name;
    }
    static std::set<std::string> take_flags(std::string& text) {
      std::set<std::string> flags;
      const std::size_t end = text.find(')');
      for (const auto flag : split(std::string_view(text).substr(1, end - 1), ' ')) {
        if (!flag.empty()) flags.insert(std::string(flag));
      }
      text.erase(0, std::min(end + 2, text.size()));
      return flags;
    }

    void handle(std::string command) {
      server_.commands.push_back(command);
      const auto takes = [&](std::string_view word) {
        if (!command.starts_with(word)) return false;
        command.erase(0, word.size());
        return true;
      };
      if (takes("CAPABILITY")) {
        say("* CAPABILITY " + server_.capabilities_ + "\r\n");
        ok();
      } else if (takes("ENABLE ")) {
        is_utf8_ = is_utf8_ || (server_.has("UTF8=ACCEPT") && command.find("UTF8=ACCEPT") != std::string::npos);
        say("* ENABLED " + command + "\r\n");
        ok();
      } else if (takes("LIST ")) {
        for (const auto& [name, folder] : server_.folders) {
          if (!server_.faults.unlisted.contains(name))
            say("* LIST (" + folder.attributes + ") \"/\" \"" + told_name(name) + "\"\r\n");
        }
        ok();
      } else if (takes("EXAMINE ") || takes("SELECT ")) {
        select(take_folder(command));
      } else if (takes("UID FETCH ")) {
        fetch(command, true);
      } else if (takes("FETCH ")) {
        fetch(command, false);
      } else if (takes("APPEND ")) {
        append(command);
      } else if (takes("CREATE ")) {
        server_.folders[take_folder(command)].uid_validity = ++server_.next_validity_;
        ok();
      } else if (takes("UID STORE ")) {
        store(command);
      } else if (takes("IDLE")) {
        if (server_.faults.ignores_idle) return;
        if (server_.faults.refuses_idle) return say(tag_ + " NO not here\r\n");
        say("+ idling\r\n");
        server_.idlers_.insert(this);
      } else if (takes("EXPUNGE")) {
        for (std::size_t i = folder_->messages.size(); i-- > 0;)
          if (folder_->messages[i].flags.contains("\\Deleted")) folder_->remove(i);
        ok();
      } else if (takes("DELETE ")) {
        const std::string name = take_folder(command);
        if (!server_.folders.contains(name)) return say(tag_ + " NO [NONEXISTENT] no such folder\r\n");
        if (folder_ == &server_.folders[name]) folder_ = nullptr;
        server_.folders.erase(name);
        ok();
      } else {
        ok();
      }
    }

    void select(const std::string& name) {
      if (!server_.folders.contains(name)) return say(tag_ + " NO [NONEXISTENT] no such folder\r\n");
      if (const auto closed = server_.faults.closed_folders.find(name); closed != server_.faults.closed_folders.end())
        return say(tag_ + " " + closed->second + "\r\n");
      folder_ = &server_.folders[name];
      auto& selects = server_.faults.new_validity_after_selects;
      if (selects > 0 && --selects == 0) {
        selects = -1;
        folder_->uid_validity = ++server_.next_validity_;
        for (FakeMessage& message : folder_->messages) message.uid += 1000;
      }
      const std::int64_t exists = static_cast<std::int64_t>(folder_->messages.size()) + server_.faults.exists_by;
      const std::uint32_t uid_next = server_.faults.uid_next_told == 0 ? folder_->uid_next : server_.faults.uid_next_told;
      say("* " + std::to_string(std::max<std::int64_t>(exists, 0)) + " EXISTS\r\n* OK [UIDVALIDITY " +
          std::to_string(folder_->uid_validity) + "] x\r\n* OK [UIDNEXT " + std::to_string(uid_next) + "] x\r\n" +
          (server_.has("CONDSTORE") ? "* OK [HIGHESTMODSEQ " + std::to_string(folder_->modseq) + "] x\r\n" : ""));
      ok("READ-WRITE");
    }

    void fetch(const std::string& command, bool by_uid) {
      const std::string set = command.substr(0, command.find(' '));
      using imap::UidRange;
      std::uint32_t highest = by_uid ? 0 : static_cast<std::uint32_t>(folder_->messages.size());
      for (const FakeMessage& message : folder_->messages) highest = by_uid ? std::max(highest, message.uid) : highest;
      const auto first_of = [&](std::string_view text) {
        return text == "*" ? highest : static_cast<std::uint32_t>(*to_number(text));
      };
      std::vector<UidRange> ranges;
      for (const auto each : split(set, ',')) {
        const std::size_t colon = each.find(':');
        const std::string_view last = colon == std::string_view::npos ? each : each.substr(colon + 1);
        UidRange range{first_of(each.substr(0, colon)), last == "*" ? highest : static_cast<std::uint32_t>(*to_number(last))};
        if (last == "*" && range.first > highest) std::swap(range.first, range.last);
        ranges.push_back(range);
      }
      const auto is_in = [&](std::uint32_t number) {
        return std::any_of(ranges.begin(), ranges.end(),
                           [&](const auto& range) { return number >= range.first && number <= range.last; });
      };
      const bool wants_content = command.find("BODY.PEEK[]") != std::string::npos;
      const std::size_t since_at = command.find("CHANGEDSINCE ");
      const std::uint64_t since = since_at == std::string::npos ? 0 : std::stoull(command.substr(since_at + 13));
      if (command.find("VANISHED") != std::string::npos && !server_.faults.hides_new) {
        for (const auto& [uid, modseq] : folder_->vanished)
          if (modseq > since && is_in(uid)) say("* VANISHED (EARLIER) " + std::to_string(uid) + "\r\n");
      }
      for (std::size_t i = 0; i < folder_->messages.size() && is_open_; ++i) {
        const FakeMessage& message = folder_->messages[i];
        if (!is_in(by_uid ? message.uid : static_cast<std::uint32_t>(i + 1)) &&
            !(wants_content && server_.faults.sends_others_contents))
          continue;
        if (since > 0 && (message.modseq <= since || server_.faults.hides_new)) continue;
        if (wants_content && server_.faults.refused.contains(message.uid))
          return say(tag_ + " NO [SERVERBUG] cannot read it\r\n");
        std::string line = "* " + std::to_string(i + 1) + " FETCH (" + uid_told(message.uid);
        if (command.find("FLAGS") != std::string::npos) line += head_told(message);
        if (wants_content && server_.faults.unreadable.contains(message.uid)) continue;
        if (wants_content && server_.faults.contents_until_pause == 0)
          return say(tag_ + " NO [THROTTLED] Request is throttled\r\n");
        if (wants_content) {
          if (server_.faults.contents_until_pause > 0) --server_.faults.contents_until_pause;
          ++server_.contents_given;
          std::string content = message.content;
          if (auto& cut = server_.faults.cut_off[message.uid]; !cut.empty()) {
            content.resize(cut.front());
            cut.erase(cut.begin());
          }
          line +=
              " BODY[] {" + std::to_string(content.size() + (server_.faults.announces_too_much ? 100 : 0)) + "}\r\n" + content;
        }
        say(line + ")\r\n");
      }
      ok();
    }

    std::string uid_told(std::uint32_t uid) const {
      if (server_.faults.without_uid.contains(uid)) return "MODSEQ (1)";
      return "UID " + std::to_string(server_.faults.with_uid_zero.contains(uid) ? 0 : uid);
    }
    std::string head_told(const FakeMessage& message) const {
      std::string head;
      if (!server_.faults.without_flags.contains(message.uid)) {
        head += " FLAGS (";
        for (const auto& flag : message.flags) head += (head.ends_with('(') ? "" : " ") + flag;
        head += ")";
      }
      if (!server_.faults.without_date.contains(message.uid)) head += " INTERNALDATE \"" + message.date + "\"";
      return head + " RFC822.SIZE " +
             std::to_string(server_.faults.lies_about_sizes ? 7
                                                            : message.content.size() + (server_.faults.claims_too_much ? 9 : 0));
    }

    void append(std::string command) {
      const std::string name = take_folder(command);
      FakeFolder& folder = server_.folders[name];
      const auto messages = take_messages(std::move(command));
      if (!messages) return hang_up();
      Faults& wrong = server_.faults;
      // All of them, or none (RFC 3502).
      const auto count = static_cast<std::int64_t>(messages->size());
      if (wrong.appends_until_pause >= 0 && wrong.appends_until_pause < count)
        return say(tag_ + " NO [LIMIT] Too many messages for now\r\n");
      if (wrong.appends_until_pause > 0) wrong.appends_until_pause -= count;
      const bool is_refused = !wrong.refused_text.empty() && std::ranges::any_of(*messages, [&](const FakeMessage& each) {
        return each.content.find(wrong.refused_text) != std::string::npos;
      });
      if (is_refused) return say(tag_ + " NO [CANNOT] not this message\r\n");
      const std::uint32_t first = folder.uid_next;
      for (FakeMessage message : *messages) {
        if (wrong.damages_appended && !message.content.empty()) message.content[message.content.size() / 2] ^= 1;
        folder.add(std::move(message.content), std::move(message.flags)).date =
            wrong.ignores_dates ? "02-Jan-2026 00:00:00 +0000" : message.date;
      }
      if (name == "INBOX") server_.tell_idlers("* " + std::to_string(folder.messages.size()) + " EXISTS\r\n");
      if (std::exchange(wrong.drops_after_append, false)) return hang_up();
      std::string uids = std::to_string(first) + (count > 1 ? ":" + std::to_string(folder.uid_next - 1) : "");
      if (!wrong.wrong_uids.empty()) uids = wrong.wrong_uids;
      ok(server_.has("UIDPLUS") ? "APPENDUID " + std::to_string(folder.uid_validity) + " " + uids : "");
    }

    // Those of an APPEND, from behind its folder on; none if they do not come whole.
    std::optional<std::vector<FakeMessage>> take_messages(std::string options) {
      std::vector<FakeMessage> messages;
      for (;;) {
        FakeMessage& message = messages.emplace_back();
        message.flags = take_flags(options);
        message.date = options.starts_with('"') ? take_name(options) : "01-Jan-2026 00:00:00 +0000";
        const std::size_t brace = options.find('{');
        std::string digits = options.substr(brace + 1, options.size() - brace - 2);
        const bool is_at_once = digits.ends_with('+');
        if (is_at_once)
          digits.pop_back();
        else
          say("+ go on\r\n");
        const std::size_t size = std::stoull(digits);
        // RFC 7888: LITERAL- up to 4096 bytes. To one that offers neither, what follows is a command.
        if (is_at_once && !server_.has("LITERAL+") && (!server_.has("LITERAL-") || size > 4096)) return std::nullopt;
        while (input_.size() < size) {
          if (!fill()) return std::nullopt;
        }
        message.content = input_.substr(0, size);
        input_.erase(0, size);
        if (server_.faults.drops_behind_messages == static_cast<std::int64_t>(messages.size())) {
          server_.faults.drops_behind_messages = -1;
          return std::nullopt;
        }
        const auto line = read_line();
        if (!line) return std::nullopt;
        if (line->empty()) return messages;
        if (!server_.has("MULTIAPPEND") || !line->starts_with(" (")) return std::nullopt;
        options = line->substr(1);
      }
    }

    void store(std::string command) {
      const bool is_all = command.starts_with("1:*");
      const bool adds = command.find("+FLAGS") != std::string::npos;
      const auto uid = static_cast<std::uint32_t>(std::stoul(command));
      command.erase(0, command.find('('));
      const std::set<std::string> flags = take_flags(command);
      for (FakeMessage& message : folder_->messages) {
        if (message.uid != uid && !is_all) continue;
        if (!adds) message.flags.clear();
        message.flags.insert(flags.begin(), flags.end());
        message.modseq = ++folder_->modseq;
      }
      ok();
    }

    FakeImapServer& server_;
    const int socket_;
    std::unique_ptr<net::Stream> stream_;
    std::string input_, tag_;
    FakeFolder* folder_ = nullptr;
    bool is_open_ = true;
    bool is_utf8_ = false;
  };

  std::string capabilities_;
  std::uint32_t next_validity_ = 2000;
  std::vector<std::thread> sessions_;
  std::set<Session*> idlers_;
};

}  // namespace mailhold
