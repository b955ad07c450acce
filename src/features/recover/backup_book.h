// BackupBook: the rows of what was backed up: mailboxes, their folders, and every version of every item with the time
// from and until which it was there. Rows are only added and closed, so that the mailbox can be seen as of any moment.
// Names, dates, flags and the source's ids are sealed; ids of ours and times stand in the clear. Any thread.
//
// Design: docs/formats/mailbox_backup.md
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/store/store_keys.h"
#include "features/held/row_seal.h"
#include "features/mailboxes/mailbox.h"
#include "platform/records/records.h"

namespace mailhold::recover {

enum class MailboxState : std::uint8_t { waiting = 1, first_sync = 2, current = 3, needs_attention = 4 };
std::string_view name_of(MailboxState state);  // "first sync"

struct Mailbox {
  Id id;
  Id tenant;
  std::string name;       // what the operator calls it, such as its address
  Id connection;          // it is read over, with purpose backup.read
  Id restore_connection;  // restores write over, with purpose restore.write; may be the same
  bool paused = false;
  MailboxState state = MailboxState::waiting;
  std::string reason;          // why it needs attention, and what to do
  Milliseconds synced_at = 0;  // the moment of the last sync that came to its end; 0: none did
  Milliseconds tried_at = 0;
  std::uint64_t items = 0;       // that were there at synced_at
  std::uint64_t unreadable = 0;  // of them, without content
};

// An item the source lists and does not give.
struct PendingItem {
  std::string source_id;
  bool too_large = false;  // it is not asked for again
};
inline constexpr std::size_t pending_max = 10'000;

struct FolderRow {
  Id id;
  Id mailbox;
  Id tenant;
  mailboxes::Folder folder;
  std::string mark;
  std::vector<PendingItem> pending;
  Milliseconds since = 0;
  std::optional<Milliseconds> until;
  std::uint64_t revision = 1;
};

// One version of an item: what it was from `since` until `until`.
struct ItemRow {
  Id id;  // the same in all versions
  Id folder;
  Id tenant;
  Id message;  // in the store
  mailboxes::ItemHead head;
  mailboxes::ContentForm form = mailboxes::ContentForm::mime;
  std::uint64_t bytes = 0;
  std::string sha256;     // of the content
  std::uint32_t day = 0;  // whose key seals this row, and wraps the content for it
  Milliseconds since = 0;
  std::optional<Milliseconds> until;
};

// What one step of a sync found; all of it is durable, or nothing.
struct FolderStep {
  FolderRow folder;  // with its new mark and pending items
  std::vector<ItemRow> added;
  std::vector<std::pair<Id, Milliseconds>> closed;  // item and since of versions that end at `moment`
  Milliseconds moment = 0;
};

// Rises with the moment, so that rows that are written together lie together.
Id new_item_id(Milliseconds moment);

class BackupBook {
 public:
  // The records and the keys must outlive the book.
  static Result<std::unique_ptr<BackupBook>> open(records::Records& records, std::string region, store::StoreKeys& keys,
                                                  const Deadline& deadline);

  Status put_mailbox(const Mailbox& mailbox, const Deadline& deadline);
  Result<Mailbox> mailbox(Id id, const Deadline& deadline);  // not_found
  // Rows that do not open are left out and logged.
  Result<std::vector<Mailbox>> mailboxes(const Deadline& deadline);

  Status put_folder(const FolderRow& folder, const Deadline& deadline);
  // Closes the folder and all that is in it.
  Status close_folder(const FolderRow& folder, Milliseconds moment, const Deadline& deadline);
  Result<std::vector<FolderRow>> folders_as_of(const Mailbox& mailbox, Milliseconds moment, const Deadline& deadline);

  Status apply(const FolderStep& step, const Deadline& deadline);
  // In order of arrival at the source. An item whose row or day is gone is left out; corrupt for a row that was tampered with.
  Result<std::vector<ItemRow>> items_as_of(const FolderRow& folder, Milliseconds moment, const Deadline& deadline);
  Result<std::uint64_t> count_items(Id folder, Milliseconds moment, const Deadline& deadline);

  // Reports of restores: opaque here, sealed.
  Status put_restore(Id tenant, Id job, std::string_view report, const Deadline& deadline);
  Result<std::string> restore(Id job, const Deadline& deadline);  // not_found
  Result<std::vector<Id>> restores(const Deadline& deadline);     // newest first

 private:
  BackupBook(records::Records& records, std::string region, store::StoreKeys& keys)
      : records_(records), region_(region), keys_(keys), seal_(std::move(region), keys) {}
  // Seal and open under the tenant's key of day 0, for rows that outlive every day.
  Result<std::string> seal(Id tenant, Id object, std::string_view what, std::uint64_t revision, std::string_view plaintext,
                           const Deadline& deadline) const;
  Result<std::string> open(Id tenant, Id object, std::string_view what, std::uint64_t revision, std::string_view row,
                           const Deadline& deadline) const;
  Status write_folder(records::Session& session, const FolderRow& folder, const Deadline& deadline);
  Result<Mailbox> read_mailbox(const records::Values& row, const Deadline& deadline) const;

  records::Records& records_;
  const std::string region_;
  store::StoreKeys& keys_;
  const held::RowSeal seal_;
};

// For the tests.
std::string write_item(const ItemRow& item);
Status read_item(std::string_view bytes, ItemRow& item);  // also checks the folder it names; corrupt

}  // namespace mailhold::recover
