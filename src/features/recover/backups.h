// Backups: keeps every mailbox current and carries out restores, a few at a time, until stop(). What was under way when the
// process ended goes on at the next start: a sync at its marks, a restore by finding what is there already.
// Any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <thread>

#include "features/recover/mailbox_sync.h"
#include "features/recover/restore.h"

namespace mailhold::recover {

struct BackupSettings {
  std::chrono::seconds every{900};
  std::size_t sessions_max = 2;
};

class Backups {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    store::StoreKeys& keys;
    mailboxes::SessionSource& sessions;
    const Clock& clock;
  };
  Backups(BackupSettings settings, Parts parts) : settings_(settings), parts_(parts) {}
  ~Backups() { stop(); }

  void start();
  void stop();

  // As the mailbox is now; progress of a sync under way.
  struct View {
    Mailbox mailbox;
    std::optional<SyncProgress> running;
  };
  Result<std::vector<View>> list(const Deadline& deadline);

  Status sync_soon(Id mailbox, const Deadline& deadline);  // not_found
  Status change(Id mailbox, const std::function<void(Mailbox&)>& change, const Deadline& deadline);
  Result<Id> add(Mailbox mailbox, const Deadline& deadline);

  // Checked, written down and begun. invalid_input, not_found.
  Result<Id> restore(RestoreRequest request, const Deadline& deadline);
  // Reads back again what that restore put there; restore_report tells the outcome. denied while it runs.
  Status verify(Id job, const Deadline& deadline);
  Result<RestoreReport> restore_report(Id job, const Deadline& deadline);

 private:
  void work(const std::stop_token& stop);
  std::optional<std::function<void(const std::stop_token&)>> next_job();
  void sync_one(const Mailbox& mailbox, const std::stop_token& stop);
  void restore_one(Id job, RestoreReport report, bool only_verify, const std::stop_token& stop);
  Result<std::unique_ptr<mailboxes::MailboxTarget>> open(const Mailbox& mailbox, bool writes, const Deadline& deadline);
  void finish_sync(Id mailbox, Milliseconds moment, const Status& status, const std::string& reason,
                   const SyncProgress& progress);
  void take_up_restores();
  void look_again();

  const BackupSettings settings_;
  const Parts parts_;
  std::mutex mutex_;
  std::mutex changing_;  // of rows of mailboxes, which are read and written again
  std::condition_variable_any wake_;
  std::map<Id, std::chrono::steady_clock::time_point> due_;  // guarded by mutex_, as all below; mailboxes without one are due
  std::map<Id, SyncProgress> running_;
  std::map<Id, RestoreReport> restoring_;
  std::deque<std::pair<Id, bool>> waiting_;  // restores, and whether they are only verified
  bool took_up_restores_ = false;
  std::uint64_t asked_ = 0;  // how often there was something new to do
  std::vector<std::jthread> threads_;
};

}  // namespace mailhold::recover
