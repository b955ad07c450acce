// BackupBook: the rows of what was backed up: mailboxes, their folders, and every version of every item with the time
// from and until which it was there. Rows are only added and closed, so that the mailbox can be seen as of any moment.
// Names, dates, flags and the source's ids are sealed; ids of ours and times stand in the clear. Any thread.
//
// Design: docs/formats/mailbox_backup.md
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/store/store_keys.h"
#include "features/held/row_seal.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/content_claims.h"
#include "features/recover/content_ids.h"
#include "features/recover/schedule.h"
#include "platform/records/records.h"

namespace mailhold::recover {

enum class MailboxState : std::uint8_t { waiting = 1, first_sync = 2, current = 3, needs_attention = 4 };
std::string_view name_of(MailboxState state);  // "first sync"

struct Mailbox {
  Id id;
  Id tenant;
  std::string name;  // what the operator calls it, such as its address
  mailboxes::MailboxKind kind = mailboxes::MailboxKind::imap;
  Id connection;          // it is read over, with purpose backup.read
  Id restore_connection;  // restores write over, with purpose restore.write; may be the same
  Schedule schedule;
  mailboxes::ItemTypes types = mailboxes::ItemTypes::all();  // that are read
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
  mailboxes::ItemTypes types = mailboxes::ItemTypes::all();  // that the mark speaks of: others were left out
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
  Id message;  // in the store: the id of its content (content_ids.h)
  mailboxes::ItemHead head;
  mailboxes::ContentForm form = mailboxes::ContentForm::mime;
  std::uint64_t bytes = 0;
  std::uint32_t day = 0;  // whose key seals this row, and wraps the content for it
  Milliseconds since = 0;
  std::optional<Milliseconds> until;
  std::shared_ptr<const ContentIds> content_ids;  // of rows that the book gave
  bool has_content(std::string_view sha256) const { return content_ids->id_of(sha256) == message; }
};

// What one step of a sync found; all of it is durable, or nothing.
struct FolderStep {
  FolderRow folder;  // with its new mark and pending items
  std::vector<ItemRow> added;
  std::vector<std::pair<Id, Milliseconds>> closed;  // item and since of versions that end at `moment`
  Milliseconds moment = 0;
};

// Rises with the moment and the number within it, so that rows that are written together lie together and fill their pages.
Id new_item_id(Milliseconds moment, std::uint64_t number);

struct ProofRecord;

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
  // book_lookup.cpp, for search. The first versions of items of a mailbox, in the order of (since, item): those behind
  // (since, item) that were there by `until`, at most `limit`. Versions that only changed flags are left out.
  Result<std::vector<ItemRow>> items_after(const Mailbox& mailbox, Milliseconds since, Id item, Milliseconds until,
                                           std::uint32_t limit, const Deadline& deadline);
  // The items of a mailbox that had this content at that moment.
  Result<std::vector<ItemRow>> items_with(const Mailbox& mailbox, Id message, Milliseconds moment, const Deadline& deadline);
  Result<std::uint64_t> count_items(Id folder, Milliseconds moment, const Deadline& deadline);

  // What is known of a mailbox's proofs (proof.h); of one that had none: an empty record.
  Status put_proof(const ProofRecord& record, const Deadline& deadline);
  Result<ProofRecord> proof(const Mailbox& mailbox, const Deadline& deadline);

  // What is over (retention.h). Folders of the mailbox, also closed ones; versions of a folder that ended by `until`, in the
  // order of their ends, from behind `after`.
  Result<std::vector<FolderRow>> all_folders(const Mailbox& mailbox, const Deadline& deadline);
  struct VersionMark {
    Milliseconds until = -1;
    Id item;
    Milliseconds since = 0;
  };
  // `read` is how many rows there were, also such as do not open any more: below `limit`, there are no others.
  struct EndedVersions {
    std::vector<ItemRow> versions;
    VersionMark mark;  // where to go on from
    std::size_t read = 0;
  };
  Result<EndedVersions> ended_versions(const FolderRow& folder, Milliseconds until, const VersionMark& after, std::size_t limit,
                                       const Deadline& deadline);
  // Of versions that have not ended: what they are of, without opening them.
  struct OpenVersion {
    Id item, message;
  };
  Result<std::vector<OpenVersion>> open_versions(Id folder, const Deadline& deadline);
  // Rows go, and their contents are noted as ones that may have to go: one transaction.
  Status remove_versions(Id tenant, const std::vector<ItemRow>& versions, const Deadline& deadline);
  // Of a mailbox that is removed: up to `limit` versions of a folder, whatever they are. How many went.
  Result<std::uint64_t> remove_some_versions(const FolderRow& folder, std::size_t limit, const Deadline& deadline);
  // Contents noted by remove_versions, at most `limit`, of one tenant: the first behind the mark, by tenant and content.
  struct LeavingMark {
    Id tenant, content;
  };
  struct Leaving {
    Id tenant;
    std::vector<Id> contents;
  };
  Result<Leaving> leaving(const LeavingMark& after, std::size_t limit, const Deadline& deadline);
  Result<bool> is_named(Id content, const Deadline& deadline);  // by a version
  Status have_left(const std::vector<Id>& contents, const Deadline& deadline);

  // book_lost.cpp. Contents that were found damaged and cannot be read: noted once, until they can be again or nothing names
  // them.
  Status note_lost(Id tenant, const std::vector<Id>& contents, const Deadline& deadline);
  struct LostContent {
    Id tenant, content;
  };
  Result<std::vector<LostContent>> lost(std::size_t limit, const Deadline& deadline);
  Result<bool> is_lost(Id content, const Deadline& deadline);
  Status is_lost_no_more(Id content, const Deadline& deadline);
  // How many items have a version with such a content, by mailbox; mailboxes without any are left out.
  Result<std::map<Id, std::uint64_t>> count_lost_items(const Deadline& deadline);
  // Their versions, with their folders, the newest first; at most `limit`.
  struct LostVersion {
    mailboxes::FolderPath folder;
    ItemRow version;
  };
  Result<std::vector<LostVersion>> lost_versions(const Mailbox& mailbox, std::size_t limit, const Deadline& deadline);
  // Versions that name a content, by mailbox, at most `limit`. A version that does not open has no item.
  struct NamingVersion {
    Id mailbox;
    std::optional<ItemRow> version;
  };
  Result<std::vector<NamingVersion>> versions_with(Id tenant, Id content, std::size_t limit, const Deadline& deadline);

  // book_check.cpp. Every mailbox, also one whose row does not open.
  struct MailboxToCheck {
    Id id, tenant;
    Result<Mailbox> row;
  };
  Result<std::vector<MailboxToCheck>> mailboxes_to_check(const Deadline& deadline);
  // Every version of one mailbox, or of all mailboxes of a tenant, that began by a moment, folder by folder.
  struct CheckScope {
    Id owner;   // the mailbox, or the tenant
    Id tenant;  // the tenant
    Milliseconds moment = 0;
  };
  struct FolderToCheck {
    std::int64_t number = 0;  // in this file
    Id mailbox;
  };
  struct VersionToCheck {
    Id item, content;
    Milliseconds since = 0;
    Result<std::optional<ItemRow>> row;  // nothing: the key of its day is missing; an error: it does not open
    bool is_first = false;               // none before it, in this order and scope, names the same content
    bool is_lost = false;                // its content is noted as lost
  };
  Result<std::vector<FolderToCheck>> folders_to_check(const CheckScope& scope, const Deadline& deadline);
  Result<std::uint64_t> count_versions_to_check(const CheckScope& scope, const Deadline& deadline);
  // Of one folder, in the order of item and since, from behind those of `after`; at most `limit`.
  Result<std::vector<VersionToCheck>> versions_to_check(const CheckScope& scope, std::int64_t folder, Id item_after,
                                                        Milliseconds since_after, std::size_t limit, const Deadline& deadline);

  Result<std::uint64_t> count_versions(Id folder, const Deadline& deadline);
  Status remove_folder(const FolderRow& folder, const Deadline& deadline);
  // Reports of restores that were first seen here `kept` ago or longer go; what is new is seen by the way. How many went.
  Result<std::uint64_t> remove_old_restores(Milliseconds now, Milliseconds kept, const Deadline& deadline);
  // The row of the mailbox and the reports of its restores; its folders must be gone.
  Status remove_mailbox(Id mailbox, const std::vector<Id>& restores, const Deadline& deadline);
  // Deletions become final in the file. unavailable: a reader is in the way, try again.
  Status forget_deleted(const Deadline& deadline) { return records_.forget_deleted(deadline); }

  ContentClaims& claims() { return claims_; }

  // A table of rows that are written over.
  struct SealedTable {
    std::string_view name, key, what;
  };

  // Reports of restores: opaque here, sealed.
  Status put_restore(Id tenant, Id job, std::string_view report, const Deadline& deadline);
  Result<std::string> restore(Id job, const Deadline& deadline);  // not_found
  Result<std::vector<Id>> restores(const Deadline& deadline);     // newest first

 private:
  BackupBook(records::Records& records, std::string region, store::StoreKeys& keys)
      : records_(records), region_(region), keys_(keys), seal_(std::move(region), keys) {}
  // Of columns item, since, until, folder, message, day, sealed. Nothing: its day was forgotten; corrupt: it was tampered with.
  Result<std::optional<ItemRow>> open_item(Id tenant, const records::Values& row, const Deadline& deadline);
  // The key for it is kept for as long as a row that was read is.
  Result<std::shared_ptr<const ContentIds>> content_ids(Id tenant, const Deadline& deadline);
  Status put_row(const SealedTable& table, Id tenant, Id object, std::string_view plaintext, const Deadline& deadline);
  // Seal and open under the tenant's key of day 0, for rows that outlive every day.
  Result<std::string> seal(Id tenant, Id object, std::string_view what, std::uint64_t revision, std::string_view plaintext,
                           const Deadline& deadline) const;
  Result<std::string> open(Id tenant, Id object, std::string_view what, std::uint64_t revision, std::string_view row,
                           const Deadline& deadline) const;
  Status write_folder(records::Session& session, const FolderRow& folder, const Deadline& deadline);
  Result<Mailbox> read_mailbox(const records::Values& row, const Deadline& deadline) const;
  Result<FolderRow> open_folder(const records::Values& row, const Mailbox& mailbox, const Deadline& deadline) const;

  records::Records& records_;
  const std::string region_;
  store::StoreKeys& keys_;
  const held::RowSeal seal_;
  ContentClaims claims_;
  std::mutex content_ids_mutex_;
  std::map<Id, std::weak_ptr<const ContentIds>> content_ids_;
};

}  // namespace mailhold::recover
