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

  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();

  Status run(const Deadline& deadline);
  void tell();
  Status count_expected(const std::vector<FolderRow>& folders, const Deadline& deadline);
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

std::optional<std::chrono::seconds> time_left(const SyncProgress& progress) {
  if (progress.items_expected == 0 || progress.items_new == 0 || progress.elapsed.count() == 0) return std::nullopt;
  const std::uint64_t left = progress.items_expected > progress.items_new ? progress.items_expected - progress.items_new : 0;
  const double seconds =
      static_cast<double>(progress.elapsed.count()) / 1000 * static_cast<double>(left) / static_cast<double>(progress.items_new);
  return std::chrono::seconds(static_cast<std::int64_t>(seconds + 0.5));
}

void MailboxSync::State::tell() {
  progress.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  if (report) report(progress);
}

// Asked of a first sync only: it is the one that takes long, and the question costs a round trip for each folder.
Status MailboxSync::State::count_expected(const std::vector<FolderRow>& folders, const Deadline& deadline) {
  for (const FolderRow& row : folders) {
    if (!row.folder.holds_items) continue;
    ASSIGN_OR_RETURN(const std::optional<std::uint64_t> count, parts.source.count(row.folder, deadline));
    if (!count) return done();
    ASSIGN_OR_RETURN(const std::uint64_t known, parts.book.count_items(row.id, moment, deadline));
    progress.items_expected += *count > known ? *count - known : 0;
  }
  return done();
}

Status MailboxSync::State::run(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, update_folders(deadline));
  ContentKeeper keeper(parts.store, parts.keys, parts.book.claims(), mailbox.tenant, moment);
  const std::uint32_t day = keeper.day();
  KeepingQueue queue(keeper);
  progress.folders = folders.size();
  if (mailbox.synced_at == 0) {
    // A folder that cannot be counted is read nevertheless, or says why not.
    if (const Status counted = count_expected(folders, deadline); !counted && counted.error().is_temporary()) return counted;
  }
  for (const FolderRow& row : folders) {
    if (row.folder.holds_items) {
      FolderSync folder(parts, queue, day, row, moment, settings, progress);
      RETURN_IF_ERROR(folder.load(deadline));
      for (bool more = true; more;) {
        if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the sync was stopped"};
        RETURN_IF_ERROR(folder.step(more, deadline));
        keeper.rows_are_written();  // nothing is with the queue between two steps
        tell();
      }
      progress.unreadable += folder.row().pending.size();
      for (const PendingItem& item : folder.row().pending) progress.too_large += item.too_large ? 1 : 0;
    }
    ++progress.folders_done;
    tell();
  }
  return done();
}

}  // namespace mailhold::recover
