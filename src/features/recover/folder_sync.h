// FolderSync: one folder of a MailboxSync. Internal to this room.
#pragma once

#include <atomic>
#include <functional>

#include "features/recover/keeping_queue.h"
#include "features/recover/mailbox_sync.h"

namespace mailhold::recover {

class FolderSync {
 public:
  // Types of items that are read of a folder.
  struct Chosen {
    mailboxes::ItemTypes types;
    bool is_all = true;  // that the folder can hold
  };
  // Of the whole sync; folders that are read side by side have it in common.
  struct Run {
    BackupBook& book;
    const SyncSettings& settings;
    const Milliseconds moment;
    const std::map<Id, Chosen>& chosen;           // by folder
    std::function<Status(FolderSync&)> has_rows;  // whenever some were written in a step; an error ends it there
    std::atomic<std::uint64_t> next_item = 0;     // number of the next new item
  };

  FolderSync(Run& run, mailboxes::MailboxSource& source, KeepingQueue& queue, std::uint32_t day, FolderRow row)
      : run_(run), source_(source), queue_(queue), day_(day), row_(std::move(row)), chosen_(run.chosen.at(row_.id)) {}

  // Reads what is known of the folder.
  Status load(const Deadline& deadline);
  // One step; `more` says whether there is another.
  Status step(bool& more, const Deadline& deadline);
  const FolderRow& row() const { return row_; }
  // Whether the last error is the source's word about this folder, so that others can still be read.
  bool is_refused() const { return is_refused_; }
  // Items that the source counts and does not name, at the last step.
  std::uint64_t unnamed() const { return unnamed_; }
  // Items that were given and are not in the backup, since what is kept here of their content is damaged. Of the pending ones.
  std::uint64_t not_kept() const { return not_kept_.size(); }
  // What was found since the last call: its counts of items and bytes.
  SyncProgress take_progress() { return std::exchange(progress_, {}); }

 private:
  using Content = mailboxes::MailboxSource::Content;
  void end_other_types(mailboxes::Changes& changes) const;
  void leave_out_others(std::vector<mailboxes::ItemHead>& heads) const;
  bool is_read(const std::string& id) const;
  Status take(const mailboxes::Changes& changes, FolderStep& step, const Deadline& deadline);
  Status write_rows(FolderStep& step, const Deadline& deadline);
  Status reconcile(FolderStep& step, const Deadline& deadline);
  Status count_unnamed(std::optional<std::uint64_t> counted, const Deadline& deadline);
  template <typename T>
  Result<T> heard(Result<T> answer) {
    is_refused_ = !answer && is_about_one_folder(answer.error());
    return answer;
  }
  Status fetch_new(const std::vector<mailboxes::ItemHead>& heads, FolderStep& step, const Deadline& deadline);
  Status fetch_some(const std::vector<std::string>& ids, FolderStep& step, const Deadline& deadline);
  bool is_asked_again(const Content& content);
  Status give_batch(const Deadline& deadline);
  void take_kept(std::vector<KeepingQueue::Kept> kept, FolderStep& step);
  std::vector<ItemRow>::iterator added_in(FolderStep& step, const ItemRow& known) const;
  void take_changed(const ItemRow& known, const mailboxes::ItemHead& head, FolderStep& step);
  void take_gone(const std::string& source_id, FolderStep& step);
  std::vector<std::string> versions_of(std::string_view name) const;
  void take_other_versions(std::string_view name, std::string_view except, FolderStep& step);
  std::vector<PendingItem> pending() const;

  Run& run_;
  mailboxes::MailboxSource& source_;
  KeepingQueue& queue_;
  const std::uint32_t day_;  // under whose key its items and contents are kept
  FolderRow row_;
  const Chosen chosen_;
  SyncProgress progress_;
  std::map<std::string, ItemRow> known_;               // by the source's id; what is there now
  std::map<std::string, mailboxes::ItemHead> unread_;  // listed, without content yet
  std::set<std::string> given_;                        // of them, to the queue
  std::map<std::string, std::uint64_t> short_;         // of them: bytes that came where more were claimed
  std::size_t asked_again_ = 0;                        // because of that
  std::set<std::string, std::less<>> replaced_;        // names of which this step ends another version
  std::map<std::string, bool> pending_;                // listed and not in the backup; whether it is too large
  std::set<std::string> not_kept_;                     // of them: given
  std::vector<Content> batch_;
  std::uint64_t batch_bytes_ = 0;
  bool was_reconciled_ = false;
  bool is_refused_ = false;
  std::uint64_t unnamed_ = 0;
};

}  // namespace mailhold::recover
