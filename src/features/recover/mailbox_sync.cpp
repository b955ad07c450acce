#include "features/recover/mailbox_sync.h"

#include <algorithm>

#include "features/recover/folder_sync.h"

namespace mailhold::recover {

struct MailboxSync::State {
  Parts parts;
  Mailbox mailbox;
  Milliseconds moment;
  SyncSettings settings;
  Report report;
  SyncProgress progress{};

  Status run(const Deadline& deadline);
  Result<std::vector<FolderRow>> update_folders(const Deadline& deadline);
};

MailboxSync::MailboxSync(Parts parts, Mailbox mailbox, Milliseconds moment, SyncSettings settings, Report report)
    : state_(new State{parts, std::move(mailbox), moment, settings, std::move(report)}) {}
MailboxSync::~MailboxSync() = default;

Status MailboxSync::run(const Deadline& deadline) { return state_->run(deadline); }
const SyncProgress& MailboxSync::progress() const { return state_->progress; }

// Brings the rows of folders up to what the source lists; the rows of those that are there.
Result<std::vector<FolderRow>> MailboxSync::State::update_folders(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<mailboxes::Folder> listed, parts.source.folders(deadline));
  ASSIGN_OR_RETURN(std::vector<FolderRow> known, parts.book.folders_as_of(mailbox, moment, deadline));
  std::vector<FolderRow> rows;
  for (const mailboxes::Folder& folder : listed) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const FolderRow& row) { return row.folder.id == folder.id; });
    FolderRow row;
    if (found != known.end()) {
      row = *found;
      known.erase(found);
      const bool is_same = row.folder == folder;
      row.folder = folder;
      if (!is_same) ++row.revision;
      if (!is_same) RETURN_IF_ERROR(parts.book.put_folder(row, deadline));
    } else {
      row.id = Id::random();
      row.mailbox = mailbox.id;
      row.tenant = mailbox.tenant;
      row.folder = folder;
      row.since = moment;
      RETURN_IF_ERROR(parts.book.put_folder(row, deadline));
    }
    rows.push_back(std::move(row));
  }
  for (const FolderRow& gone : known) RETURN_IF_ERROR(parts.book.close_folder(gone, moment, deadline));
  return rows;
}

Status MailboxSync::State::run(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, update_folders(deadline));
  ContentKeeper keeper(parts.store, parts.keys, mailbox.tenant, moment);
  const std::uint32_t day = keeper.day();
  KeepingQueue queue(keeper);
  progress.folders = folders.size();
  for (const FolderRow& row : folders) {
    if (row.folder.holds_items) {
      FolderSync folder(parts, queue, day, row, moment, settings, progress);
      RETURN_IF_ERROR(folder.load(deadline));
      for (bool more = true; more;) {
        if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the sync was stopped"};
        RETURN_IF_ERROR(folder.step(more, deadline));
        if (report) report(progress);
      }
      progress.unreadable += folder.row().pending.size();
      for (const PendingItem& item : folder.row().pending) progress.too_large += item.too_large ? 1 : 0;
    }
    ++progress.folders_done;
    if (report) report(progress);
  }
  return done();
}

}  // namespace mailhold::recover
