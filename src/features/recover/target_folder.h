// TargetFolder: what lies in the folder that a restore writes to, found by content. Each item there stands for at most one
// of the backup, so that two equal ones stay two. Internal to this room.
#pragma once

#include <map>
#include <set>

#include "features/recover/backup_book.h"

namespace mailhold::recover {

class TargetFolder {
 public:
  // Lists the folder; makes it if it is missing and `makes` is set, else it is as an empty one.
  static Result<TargetFolder> open(mailboxes::MailboxTarget& target, const mailboxes::FolderPath& path, bool makes,
                                   const Deadline& deadline);

  // An item of the same content that was not taken yet; nothing if there is none. Candidates have the same date, or
  // claim the same size; they are read to be sure.
  Result<std::optional<mailboxes::ItemHead>> take_equal(const ItemRow& item, const Deadline& deadline);
  // The item of that id, or, where the server told no id, one of the same content, or else of the same date.
  Result<std::optional<mailboxes::ItemHead>> take_for(const ItemRow& item, const std::string& id, const Deadline& deadline);
  // Asks for the contents of all of them in one go, so that sha256_of() and take_equal() need no question for each.
  Status read_hashes(const std::vector<std::string>& ids, const Deadline& deadline);
  // What take_equal() would have to read for these items.
  std::vector<std::string> candidates(const std::vector<ItemRow>& items) const;
  // Of the content as the server gives it; empty if it gives none.
  Result<std::string> sha256_of(const std::string& id, const Deadline& deadline);

  Status add_all(const mailboxes::MailboxTarget::Additions& additions, const Deadline& deadline);
  Status set_flags(const std::string& id, const std::vector<std::string>& flags, const Deadline& deadline);

 private:
  explicit TargetFolder(mailboxes::MailboxTarget& target) : target_(&target) {}
  std::vector<std::string> candidates(const ItemRow& item) const;

  mailboxes::MailboxTarget* target_;
  std::optional<mailboxes::Folder> folder_;
  std::map<std::string, mailboxes::ItemHead> heads_;
  std::multimap<Milliseconds, std::string> by_date_;
  std::multimap<std::uint64_t, std::string> by_size_;
  std::map<std::string, std::string> hashes_;  // of what was read so far
  std::set<std::string> taken_;
};

}  // namespace mailhold::recover
