#include "features/recover/mailbox_sync.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <thread>

#include "features/recover/failure_reasons.h"
#include "features/recover/folder_sync.h"

namespace mailhold::recover {

struct MailboxSync::State {
  Parts parts;
  Mailbox mailbox;
  Milliseconds moment;
  SyncSettings settings;
  Report report;
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  std::mutex mutex{};
  SyncProgress progress{};                    // guarded by mutex, as all below, while folders are read
  std::deque<FolderRow> waiting{};            // that nobody reads yet
  std::map<Id, FolderSync::Chosen> chosen{};  // not changed while folders are read
  std::optional<Error> failure{};             // the first one
  std::optional<Error> refusal{};             // of one folder: the first one
  std::size_t folders_read = 0;
  std::vector<FolderRow> missing{};       // that are not listed, or not as a folder with items
  std::vector<FolderRow> gone{}, kept{};  // that the source does not know any more; and all others

  Status run(const Deadline& deadline);
  std::optional<FolderRow> next_folder();
  void count(FolderSync& folder, bool is_over);
  Status count_and_go_on(FolderSync& folder);
  Status read_folder(FolderSync& folder, ContentKeeper& keeper, const Deadline& deadline);
  void read_folders(mailboxes::MailboxSource& source, FolderSync::Run& run, const Deadline& deadline, bool is_second = false);
  Status give_back(Id folder, const Deadline& deadline);
  bool is_for_one_session(const Error& error) const;
  Status count_expected(const std::vector<FolderRow>& folders, const Deadline& deadline);
  FolderSync::Chosen chosen_of(const mailboxes::Folder& folder) const;
  Result<std::vector<FolderRow>> update_folders(const Deadline& deadline);
  bool is_left_by_a_proof(const mailboxes::Folder& folder) const;
  Status look_for_missing(const Deadline& deadline);
  Status end_vanished(const Deadline& deadline);
  Result<std::string> how_much_vanished(const Deadline& deadline);
  void note_trouble(const mailboxes::FolderPath& path, const std::string& why, const Error& error);
};

MailboxSync::MailboxSync(Parts parts, Mailbox mailbox, Milliseconds moment, SyncSettings settings, Report report)
    : state_(new State{std::move(parts), std::move(mailbox), moment, settings, std::move(report)}) {}
MailboxSync::~MailboxSync() = default;

Status MailboxSync::run(const Deadline& deadline) { return state_->run(deadline); }
const SyncProgress& MailboxSync::progress() const { return state_->progress; }

// Calendars have a number behind the name.
bool MailboxSync::State::is_left_by_a_proof(const mailboxes::Folder& folder) const {
  return !parts.scratch.is_none() && !folder.path.empty() &&
         folder.path.back().starts_with(mailboxes::scratch_name(parts.scratch));
}

FolderSync::Chosen MailboxSync::State::chosen_of(const mailboxes::Folder& folder) const {
  const mailboxes::ItemTypes holds = parts.source.holds(folder);
  const mailboxes::ItemTypes types = holds & mailbox.types;
  return {types, types == holds};
}

// Brings the rows of folders up to what the source lists; the rows of those that are there and hold what is chosen. Rows of
// others stay as they are, gone or not.
Result<std::vector<FolderRow>> MailboxSync::State::update_folders(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<mailboxes::Folder> listed, parts.source.folders(deadline));
  ASSIGN_OR_RETURN(std::vector<FolderRow> known, parts.book.folders_as_of(mailbox, moment, deadline));
  std::vector<FolderRow> rows;
  std::erase_if(known, [&](const FolderRow& row) { return chosen_of(row.folder).types.is_none(); });
  for (const mailboxes::Folder& folder : listed) {
    if (is_left_by_a_proof(folder)) continue;
    const FolderSync::Chosen types = chosen_of(folder);
    if (types.types.is_none()) continue;
    const auto found = std::find_if(known.begin(), known.end(), [&](const FolderRow& row) { return row.folder.id == folder.id; });
    // A folder that was deleted above others stays in the list without items (RFC 9051 section 6.3.5), as may one whose rights
    // were taken: what it held is asked for by its name.
    if (found != known.end() && found->folder.holds_items && !folder.holds_items) continue;
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
    chosen[row.id] = types;
    rows.push_back(std::move(row));
  }
  kept.insert(kept.end(), rows.begin(), rows.end());
  missing = std::move(known);
  return rows;
}

bool is_about_one_folder(const Error& error) {
  return error.kind == ErrorKind::denied || error.kind == ErrorKind::not_found || error.kind == ErrorKind::unsupported;
}

void MailboxSync::State::note_trouble(const mailboxes::FolderPath& path, const std::string& why, const Error& error) {
  progress.troubles.push_back({path, why});
  if (!refusal) refusal = error;
}

// Folders that are listed no more. That a listing leaves one out may mean that the account lost a right, so that it is asked for
// by its name: only one that the source does not know is gone.
Status MailboxSync::State::look_for_missing(const Deadline& deadline) {
  for (FolderRow& row : missing) {
    const bool can_be_there = row.folder.holds_items && !is_left_by_a_proof(row.folder);
    const Result<bool> there = can_be_there ? parts.source.is_there(row.folder, deadline) : Result<bool>(false);
    const bool has_session = parts.sessions == nullptr || !parts.sessions->has_refused();
    if (!there && !(has_session && is_about_one_folder(there.error()))) return there.error();
    if (there && *there) {
      chosen[row.id] = chosen_of(row.folder);
      kept.push_back(row);
      waiting.push_back(std::move(row));
    } else if (there || settings.accepts_vanished) {
      gone.push_back(std::move(row));
    } else {
      note_trouble(row.folder.path, vanished_and_refused(there.error()), there.error());
      kept.push_back(std::move(row));
    }
  }
  return done();
}

// After all that is there was read, so that what only moved is seen where it is now. Not while it is most of the mailbox.
Status MailboxSync::State::end_vanished(const Deadline& deadline) {
  if (!settings.accepts_vanished) {
    ASSIGN_OR_RETURN(const std::string too_much, how_much_vanished(deadline));
    if (!too_much.empty()) {
      note_trouble({}, too_much, Error{ErrorKind::denied, "most of the mailbox is not listed", too_much});
      return done();
    }
  }
  for (const FolderRow& row : gone) RETURN_IF_ERROR(parts.book.close_folder(row, moment, deadline));
  return done();
}

// If that is more than half of the folders that hold something, or of all items; empty: it is less.
Result<std::string> MailboxSync::State::how_much_vanished(const Deadline& deadline) {
  if (gone.empty()) return std::string();
  struct Sum {
    std::uint64_t folders = 0, items = 0;
  };
  const auto sum_of = [&](const std::vector<FolderRow>& folders) -> Result<Sum> {
    Sum sum;
    for (const FolderRow& row : folders) {
      ASSIGN_OR_RETURN(const std::uint64_t items, parts.book.count_items(row.id, moment, deadline));
      sum.items += items;
      sum.folders += items > 0 ? 1 : 0;
    }
    return sum;
  };
  ASSIGN_OR_RETURN(const Sum over, sum_of(gone));
  ASSIGN_OR_RETURN(const Sum there, sum_of(kept));
  if (over.folders <= there.folders && over.items <= there.items) return std::string();
  return most_vanished(over.folders, over.folders + there.folders, over.items, over.items + there.items);
}

std::optional<std::chrono::seconds> time_left(const SyncProgress& progress) {
  if (progress.items_expected == 0 || progress.items_new == 0 || progress.elapsed.count() == 0) return std::nullopt;
  const std::uint64_t left = progress.items_expected > progress.items_new ? progress.items_expected - progress.items_new : 0;
  const double seconds =
      static_cast<double>(progress.elapsed.count()) / 1000 * static_cast<double>(left) / static_cast<double>(progress.items_new);
  return std::chrono::seconds(static_cast<std::int64_t>(seconds + 0.5));
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

// The next folder that nobody reads yet; nothing at the end, and after a failure.
std::optional<FolderRow> MailboxSync::State::next_folder() {
  const std::lock_guard lock(mutex);
  if (failure || waiting.empty()) return std::nullopt;
  FolderRow row = std::move(waiting.front());
  waiting.pop_front();
  return row;
}

void MailboxSync::State::count(FolderSync& folder, bool is_over) {
  const std::lock_guard lock(mutex);
  const SyncProgress found = folder.take_progress();
  progress.items_new += found.items_new;
  progress.items_changed += found.items_changed;
  progress.items_gone += found.items_gone;
  progress.bytes += found.bytes;
  if (is_over) {
    progress.unreadable += folder.row().pending.size() - std::min<std::uint64_t>(folder.row().pending.size(), folder.not_kept());
    progress.not_kept += folder.not_kept();
    if (folder.not_kept() > 0) progress.troubles.push_back({folder.row().folder.path, items_not_kept(folder.not_kept())});
    progress.unnamed += folder.unnamed();
    if (folder.unnamed() > 0) progress.troubles.push_back({folder.row().folder.path, unnamed_items(folder.unnamed())});
    for (const PendingItem& item : folder.row().pending) progress.too_large += item.too_large ? 1 : 0;
    ++progress.folders_done;
  }
  progress.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  if (report) report(progress);
}

// What is new of the folder; the failure of the other session, after which this one ends where it can go on the next time.
Status MailboxSync::State::count_and_go_on(FolderSync& folder) {
  count(folder, false);
  const std::lock_guard lock(mutex);
  return failure ? Status(*failure) : done();
}

Status MailboxSync::State::read_folder(FolderSync& folder, ContentKeeper& keeper, const Deadline& deadline) {
  if (!folder.row().folder.holds_items) return done();
  RETURN_IF_ERROR(folder.load(deadline));
  for (bool more = true; more;) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the sync was stopped"};
    const Status stepped = folder.step(more, deadline);
    if (stepped) keeper.rows_are_written();  // nothing is with the queue between two steps
    const Status goes_on = count_and_go_on(folder);
    RETURN_IF_ERROR(stepped);
    RETURN_IF_ERROR(goes_on);
  }
  return done();
}

// Some servers end one session where another one signs in: the other one reads on.
bool MailboxSync::State::is_for_one_session(const Error& error) const {
  return error.is_temporary() && (parts.rest == nullptr || parts.rest->get().count() == 0);
}

// To whoever reads on. The book has where it is to go on, since the mark has moved.
Status MailboxSync::State::give_back(Id folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<FolderRow> rows, parts.book.folders_as_of(mailbox, moment, deadline));
  const auto row = std::ranges::find(rows, folder, &FolderRow::id);
  if (row == rows.end()) return Error{ErrorKind::bug, "a folder that is being read is not in the book"};
  const std::lock_guard lock(mutex);
  waiting.push_front(std::move(*row));
  return done();
}

// Folders one after the other, over one session.
void MailboxSync::State::read_folders(mailboxes::MailboxSource& source, FolderSync::Run& run, const Deadline& deadline,
                                      bool is_second) {
  ContentKeeper keeper(parts.store, parts.keys, parts.book, mailbox.tenant, moment);
  KeepingQueue queue(keeper);
  while (std::optional<FolderRow> row = next_folder()) {
    FolderSync folder(run, source, queue, keeper.day(), std::move(*row));
    Status read = read_folder(folder, keeper, deadline);
    if (!read && folder.is_refused() && !(parts.sessions != nullptr && parts.sessions->has_refused())) {
      const std::lock_guard lock(mutex);
      note_trouble(folder.row().folder.path, refused_folder(read.error()), read.error());
      read = done();
    } else if (read && folder.row().folder.holds_items) {
      const std::lock_guard lock(mutex);
      ++folders_read;
    }
    if (read) count(folder, true);
    const bool is_over = !read && is_second && is_for_one_session(read.error());
    if (is_over) read = give_back(folder.row().id, deadline);
    const std::lock_guard lock(mutex);
    if (!read && !failure) failure = read.error();
    if (is_over) return;
  }
}

Status MailboxSync::State::run(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<FolderRow> rows, update_folders(deadline));
  progress.folders = rows.size();
  if (mailbox.synced_at == 0) {
    // A folder that cannot be counted is read nevertheless, or says why not.
    if (const Status counted = count_expected(rows, deadline); !counted && counted.error().is_temporary()) return counted;
  }
  waiting.assign(rows.begin(), rows.end());
  const auto has_rows = [this](FolderSync& folder) { return count_and_go_on(folder); };
  FolderSync::Run run{parts.book, settings, moment, chosen, has_rows};
  {
    std::jthread second;
    if (parts.open_second && rows.size() > 1 && progress.items_expected >= settings.long_sync_items) {
      second = std::jthread([&] {
        const auto source = parts.open_second(deadline);
        if (source) return read_folders(**source, run, deadline, true);
        const std::lock_guard lock(mutex);
        if (source.error().is_temporary() && !is_for_one_session(source.error()) && !failure) failure = source.error();
      });
    }
    read_folders(parts.source, run, deadline);
  }
  if (!waiting.empty()) read_folders(parts.source, run, deadline);  // the second one ended after the first had no more to do
  if (failure) return *failure;
  // After the others, which whatever is said of these must not keep from being read.
  RETURN_IF_ERROR(look_for_missing(deadline));
  progress.folders += waiting.size();
  read_folders(parts.source, run, deadline);
  if (failure) return *failure;
  RETURN_IF_ERROR(end_vanished(deadline));
  return refusal && folders_read == 0 ? Status(*refusal) : done();
}

}  // namespace mailhold::recover
