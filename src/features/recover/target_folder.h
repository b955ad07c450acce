// TargetFolder: what lies in the folder that a restore writes to, found by content. Each item there stands for at most one
// of the backup, so that two equal ones stay two. Internal to this room.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "features/recover/backup_book.h"

namespace mailhold::recover {

// What was read of a folder: the id of an item names one content for ever, so that another try need not ask for it again.
struct ReadContents {
  std::map<std::string, std::string> hashes;  // SHA-256 by id; empty: the server gives no content
  // Of them, what was compared with the item of its name and means something else: in what they differ, where that is known.
  std::map<std::string, std::string> others;
};

class TargetFolder {
 public:
  // Lists the folder; makes it if it is missing and `makes` is set, else it is as an empty one.
  static Result<TargetFolder> open(mailboxes::MailboxTarget& target, const mailboxes::FolderPath& path, bool makes,
                                   const Deadline& deadline);
  // What an earlier try read is known, and what this one reads is added.
  void go_on_with(std::shared_ptr<ReadContents> read) { read_ = std::move(read); }
  ReadContents& read() { return *read_; }
  const mailboxes::Folder& folder() const { return *folder_; }  // one that is there

  // An item of the same content that was not taken yet; nothing if there is none. Candidates have the same name or
  // date, or claim the same size; they are read to be sure.
  Result<std::optional<mailboxes::ItemHead>> take_equal(const ItemRow& item, const Deadline& deadline);
  // The item of that id or name, or, where the server told no id, one of the same content, or else of the same date.
  Result<std::optional<mailboxes::ItemHead>> take_for(const ItemRow& item, const std::string& id, const Deadline& deadline);
  // Asks for the contents of all of them in one go, so that sha256_of() and take_equal() need no question for each.
  // After an error those that came before it are known.
  Status read_hashes(const std::vector<std::string>& ids, const Deadline& deadline);
  // What take_equal() would have to read for these items.
  std::vector<std::string> candidates(const std::vector<const ItemRow*>& items) const;
  // Takes what lies under that id, or under its name; false if it is gone, or was taken.
  bool take_again(const std::string& id);
  // The id of what lies there under the item's name, whatever its content; nothing at sources without names, or if it was taken.
  std::optional<std::string> id_of_same_name(const ItemRow& item) const;
  mailboxes::ItemHead take(const std::string& id);  // one that the folder has
  // The content as the server gives it; empty if it gives none.
  Result<std::string> content_of(const std::string& id, const Deadline& deadline);
  // Of the content as the server gives it; empty if it gives none.
  Result<std::string> sha256_of(const std::string& id, const Deadline& deadline);

  Status add_all(const mailboxes::MailboxTarget::Additions& additions, const Deadline& deadline);
  // As MailboxTarget; of an item that the folder has, which is taken.
  Result<std::string> replace(const std::string& id, const mailboxes::Item& item, const Deadline& deadline);
  Status set_flags(const std::string& id, const std::vector<std::string>& flags, const Deadline& deadline);

 private:
  explicit TargetFolder(mailboxes::MailboxTarget& target) : target_(&target) {}
  std::vector<std::string> candidates(const ItemRow& item) const;

  mailboxes::MailboxTarget* target_;
  std::optional<mailboxes::Folder> folder_;
  std::map<std::string, mailboxes::ItemHead> heads_;
  std::map<std::string, std::string, std::less<>> by_name_;
  std::multimap<Milliseconds, std::string> by_date_;
  std::multimap<std::uint64_t, std::string> by_size_;
  std::shared_ptr<ReadContents> read_ = std::make_shared<ReadContents>();
  std::set<std::string> taken_;
};

}  // namespace mailhold::recover
