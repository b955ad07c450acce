// What it means that an item at a server is the one that was backed up. Internal to this room.
#pragma once

#include "core/store/message_store.h"
#include "features/recover/backup_book.h"
#include "features/recover/meaning_comparer.h"
#include "features/recover/target_folder.h"

namespace mailhold::recover {

// The flags that are put back: \Deleted is not one of them.
std::vector<std::string> restorable(std::vector<std::string> flags);

// Who can tell whether contents are the same; both outlive it.
struct ContentComparer {
  store::MessageStore& store;
  MeaningComparer* meaning = nullptr;  // none: other bytes are another content
};

// Whether what the folder has under that id means what was backed up. The bytes are known to differ.
Result<Meaning> meaning_of(const ContentComparer& comparer, TargetFolder& folder, const ItemRow& item, const std::string& id,
                           const Deadline& deadline);

// Where contents are kept and how they are called; both outlive it.
struct KeptContents {
  BackupBook& book;
  store::MessageStore& store;
  std::shared_ptr<const ContentIds> ids;  // of the mailbox's tenant
};

// Whether the mailbox's backup has that content, so that nothing is lost with it at the server: a version that has not ended
// names it, and it can be read.
Result<bool> is_in_backup(const KeptContents& kept, const Mailbox& mailbox, std::string_view content, const Deadline& deadline);

// In what the content that the folder gives is another than the one that was backed up: "content: VEVENT.RRULE"; equal_in_meaning
// if only its bytes are; empty if in nothing.
Result<std::string> content_difference(const ContentComparer& comparer, TargetFolder& folder, const ItemRow& item,
                                       const std::string& id, const Deadline& deadline);

// In what an item at the server differs from the one that was backed up; empty if in nothing. `content`: content_difference.
std::string difference(const ItemRow& item, const mailboxes::ItemHead& head, const std::string& content, bool compares_flags);

}  // namespace mailhold::recover
