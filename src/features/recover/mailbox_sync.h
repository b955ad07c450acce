// One sync of one mailbox: from the source into store and book. Whatever happens, and wherever the process ends, the mark of a
// folder is never ahead of what is durable: contents first, then rows and mark in one transaction. What left the source is closed
// in the book and stays in the store; nothing is ever written to the source.
#pragma once

#include <atomic>
#include <functional>

#include "core/store/message_store.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/backup_book.h"
#include "features/recover/pauses.h"

namespace mailhold::recover {

struct SyncSettings {
  std::size_t step_items = 10'000;       // items between two marks; nothing is read while the last contents before one are kept
  std::size_t rows_at_once = 1000;       // items that become rows together, also between two marks
  std::uint64_t batch_bytes = 8U << 20;  // contents that are kept together; at most five such batches of a session are in memory
  std::size_t single_tries_max = 50;     // items of a failed batch that are asked for one by one
  std::size_t short_tries_max = 25;      // of a folder that are asked for again because less came than was claimed
  std::uint64_t long_sync_items = 1000;  // a first sync of as many reads two folders side by side
  // An operator says that what is there no more was deleted, whatever the source says of it.
  bool accepts_vanished = false;
};

// A folder that was not read, or not whole, and is in the backup as it was last seen.
struct FolderTrouble {
  mailboxes::FolderPath path;  // empty: of several
  std::string why;             // for people
};

struct SyncProgress {
  std::size_t folders_done = 0;
  std::size_t folders = 0;
  std::uint64_t items_new = 0;
  std::uint64_t items_changed = 0;
  std::uint64_t items_gone = 0;
  std::uint64_t bytes = 0;       // of contents, fetched
  std::uint64_t unreadable = 0;  // items the source lists and does not give
  std::uint64_t too_large = 0;   // of them
  std::uint64_t unnamed = 0;     // that the source counts and does not name
  std::uint64_t not_kept = 0;    // given, and not in the backup because of damage here
  std::vector<FolderTrouble> troubles{};
  // Items that are new by what the source counted at the beginning of a first sync; 0: not known. A hint: it may go on growing.
  std::uint64_t items_expected = 0;
  std::chrono::milliseconds elapsed{0};
};
// How long the rest takes at the rate measured so far; nothing: nobody can know.
std::optional<std::chrono::seconds> time_left(const SyncProgress& progress);

// Whether an answer of a source speaks of the folder it was asked for, and not of the whole mailbox.
bool is_about_one_folder(const Error& error);

class MailboxSync {
 public:
  // Sessions for one sync. Where one that is needed in between does not come about, that is about no folder. Any thread.
  class Sessions final : public mailboxes::SessionSource {
   public:
    explicit Sessions(mailboxes::SessionSource& source) : source_(source) {}
    Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
      return source_.open(tenant, connection, purpose, deadline);
    }
    Result<ipc::OwnedFd> open_http(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
      auto opened = source_.open_http(tenant, connection, purpose, deadline);
      if (!opened) has_refused_ = true;
      return opened;
    }
    bool has_refused() const { return has_refused_; }

   private:
    mailboxes::SessionSource& source_;
    std::atomic<bool> has_refused_ = false;
  };
  struct Parts {  // all outlive the sync
    BackupBook& book;
    store::MessageStore& store;
    store::StoreKeys& keys;
    mailboxes::MailboxSource& source;
    // A second session, for a long first sync. Where there is none, or it ends by what passes, all of it goes over the first.
    std::function<Result<std::unique_ptr<mailboxes::MailboxTarget>>(const Deadline& deadline)> open_second = {};
    const WantedRest* rest = nullptr;  // what both sessions hear; a server that asks for rest means both
    const Sessions* sessions = nullptr;
    Id scratch = {};  // of a proof that could not take its folders away: they are no part of the mailbox
  };
  using Report = std::function<void(const SyncProgress&)>;  // whenever rows were written

  // `moment` is when this sync began, and what stands in its rows.
  MailboxSync(Parts parts, Mailbox mailbox, Milliseconds moment, SyncSettings settings, Report report);
  ~MailboxSync();

  // Done when all folders were read to their end but those that the progress tells of, and at least one was. On an error what was
  // read so far is kept, and the next sync goes on there.
  Status run(const Deadline& deadline);
  const SyncProgress& progress() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::recover
