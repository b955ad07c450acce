// ImapMailbox: an account at an IMAP server as a MailboxTarget. Uses CONDSTORE and QRESYNC (RFC 7162) where the server
// offers them and listings where not; copes with a new UIDVALIDITY, and treats a server that contradicts itself as corrupt.
//
// An id of a folder is its name in modified UTF-7, also where a session has UTF8=ACCEPT, and for the rest as the server spells
// it, so that it stays the same whatever the server learns to offer; an id of an item is "UIDVALIDITY.UID".
#pragma once

#include "features/mailboxes/imap/imap_mark.h"
#include "features/mailboxes/imap/imap_session.h"
#include "features/mailboxes/mailbox.h"

namespace mailhold::mailboxes {

class ImapMailbox final : public ScratchTarget {
 public:
  // `writes`: the session is one of restore.write or backup.prove, and folders are opened so that flags may be set.
  static Result<std::unique_ptr<ImapMailbox>> open(std::unique_ptr<net::Stream> stream, bool writes,
                                                   const ImapSessionSettings& settings, const Deadline& deadline);

  Result<std::vector<Folder>> folders(const Deadline& deadline) override;
  Result<Changes> changes(const Folder& folder, std::string_view mark, std::size_t limit, const Deadline& deadline) override;
  Status fetch(const Folder& folder, const std::vector<std::string>& ids, const Sink& sink, const Deadline& deadline) override;
  Result<bool> is_there(const Folder& folder, const Deadline& deadline) override;
  Result<std::optional<std::uint64_t>> count(const Folder& folder, const Deadline& deadline) override;
  Result<std::vector<ItemHead>> list(const Folder& folder, const Deadline& deadline) override;
  // By IDLE, of INBOX alone.
  Result<std::unique_ptr<MailboxWatch>> watch(const Deadline& deadline) override;
  Result<Folder> make_folder(const FolderPath& path, const Deadline& deadline) override;
  Result<std::string> add(const Folder& folder, const Item& item, const Deadline& deadline) override;
  Status add_all(const Folder& folder, const Additions& additions, const Deadline& deadline) override;
  Status set_flags(const Folder& folder, const std::string& id, const std::vector<std::string>& flags,
                   const Deadline& deadline) override;
  Result<Folder> make_scratch(Id job, const FolderPath& like, const Deadline& deadline) override;
  Status remove_scratch(Id job, const Deadline& deadline) override;

 private:
  // What SELECT or EXAMINE told of the folder that is open.
  struct Opened {
    std::string id;
    std::uint32_t uid_validity = 0;
    std::uint64_t modseq = 0;
    std::uint64_t count = 0;  // as told by EXISTS, or more if more were named
  };
  ImapMailbox(std::unique_ptr<ImapSession> session, bool writes) : session_(std::move(session)), writes_(writes) {}
  Status select(const Folder& folder, const Deadline& deadline);  // always anew: the numbers must be of now
  Status stay_in(const Folder& folder, const Deadline& deadline);
  Status tell_since(ImapMark& mark, std::size_t limit, Changes& changes, const Deadline& deadline);
  Status tell_all(ImapMark& mark, Changes& changes, const Deadline& deadline);
  Status tell_old_changes(ImapMark& mark, Changes& changes, const Deadline& deadline);
  Status read_on(ImapMark& mark, std::size_t limit, Changes& changes, const Deadline& deadline);
  Status tell_present(Changes& changes, const Deadline& deadline);
  Result<std::uint32_t> uid_at(std::uint64_t position, const Deadline& deadline);
  Result<std::uint64_t> position_after(std::uint32_t uid, std::uint64_t guess, const Deadline& deadline);
  Status heads_of(const std::string& command, std::vector<ItemHead>& heads, std::vector<std::string>* gone,
                  const Deadline& deadline);
  void believe_in(const imap::Response& response);
  Result<std::string> quoted(std::string_view id) const;
  Result<Folder> make(const FolderPath& path, bool is_shown, const Deadline& deadline);
  std::string id_of_path(const FolderPath& path) const;
  FolderPath path_of_id(std::string_view id) const;

  std::unique_ptr<ImapSession> session_;
  const bool writes_;
  std::optional<Opened> opened_;
  std::string separator_;  // between the levels of a name; empty until the server told it
};

}  // namespace mailhold::mailboxes
