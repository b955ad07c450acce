// ReadBack: reads what a restore has put at the server back again while the rest is still on its way, over a session of its own.
// It saves time and decides nothing: what it could not read is read after the restore. Internal to this room.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "features/mailboxes/mailbox.h"

namespace mailhold::recover {

class ReadBack {
 public:
  using Open = std::function<Result<std::unique_ptr<mailboxes::MailboxTarget>>(const Deadline& deadline)>;
  using Hashes = std::map<std::string, std::string>;  // SHA-256 of the content by the id at the server

  // `open` is called, on a thread of its own, when there are `items_at_once` to read for the first time. `hear_failure`: why it
  // reads nothing more, on that thread.
  ReadBack(
      Open open, std::size_t items_at_once, Deadline deadline,
      std::function<void(const Error&)> hear_failure = [](const Error&) {})
      : open_(std::move(open)),
        items_at_once_(items_at_once),
        deadline_(std::move(deadline)),
        hear_failure_(std::move(hear_failure)) {}
  ~ReadBack() { finish(); }

  // The server has told the id of an item that it took into `at`, a folder that was backed up as `folder`. Any thread.
  void give(Id folder, const mailboxes::Folder& at, std::string id);
  // Ends with the question under way, or with the deadline's stop; what was read, by the folder that was backed up.
  std::map<Id, Hashes> finish();

 private:
  struct Pending {
    mailboxes::Folder at;
    std::vector<std::string> ids;
  };
  void run();
  Status read(mailboxes::MailboxTarget& session, const Pending& batch, Hashes& hashes);

  const Open open_;
  const std::size_t items_at_once_;
  const Deadline deadline_;
  const std::function<void(const Error&)> hear_failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Id, Pending> pending_;  // guarded by mutex_, as all below
  std::map<Id, Hashes> hashes_;
  bool is_over_ = false;  // nothing more is read
  std::thread thread_;
};

}  // namespace mailhold::recover
