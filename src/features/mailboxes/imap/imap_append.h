// How messages are added over IMAP: APPEND, several messages to a command where the server takes that (MULTIAPPEND, RFC 3502)
// and their literals without asking (LITERAL+, RFC 7888), since a server flushes once for a command.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "features/mailboxes/imap/imap_session.h"
#include "features/mailboxes/mailbox.h"

namespace mailhold::mailboxes {

// "(\Answered \Seen)". Never with \Deleted: a session that restores deletes nothing, not even later by somebody's EXPUNGE.
std::string flag_list(const std::vector<std::string>& flags);
// What stands before a message: "(\Seen) \"17-Jul-1996 02:44:25 -0700\"".
std::string append_options(const ItemHead& head);
// Where APPENDUID (RFC 4315) says that `count` messages of a command went, in their order. All empty where it does not, or names
// another number of places.
std::vector<std::string> ids_of_appended(const imap::Response& added, std::size_t count);

// One add_all(). Its session, additions and deadline outlive it.
class ImapAppends {
 public:
  // `folder`: as commands carry it.
  ImapAppends(ImapSession& session, std::string folder, const MailboxTarget::Additions& additions, const Deadline& deadline)
      : session_(session), folder_(std::move(folder)), additions_(additions), deadline_(deadline) {}

  // As MailboxTarget::add_all. When it ends with an error, of each group under way all may be there or none.
  Status run();

 private:
  struct Message {
    std::string options, content;
  };
  struct Group {
    std::vector<Message> messages{};  // one command's; without contents where there is but one, which is not sent again
    std::size_t count = 0;
    std::size_t bytes = 0;
    std::string tag{};
  };
  bool takes_groups() const;
  Status gather(Message message);
  Status send_group();
  Status await_first();
  Status tell(const imap::Response& added, std::size_t count);
  Status append_one_by_one(const Group& refused);
  Status append_alone(const Message& message);

  ImapSession& session_;
  const std::string folder_;
  const MailboxTarget::Additions& additions_;
  const Deadline& deadline_;
  Group gathered_;
  std::deque<Group> under_way_;
  std::size_t messages_under_way_ = 0, bytes_under_way_ = 0;
  std::size_t group_messages_max_ = 16;  // fewer for a while behind a refusal
};

}  // namespace mailhold::mailboxes
