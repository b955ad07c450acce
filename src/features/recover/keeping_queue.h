// KeepingQueue: gives batches of contents to a ContentKeeper on threads of its own, so that the next ones are read from the
// source while these are hashed, compressed, sealed and flushed, and one batch is compressed while another one is flushed. Where
// the source gives more than one thread keeps, batches are compressed in haste. What
// take_kept() and finish() hand over is durable; batches in the order they became so. Used by one thread. Internal to this room.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "features/recover/content_keeper.h"

namespace mailhold::recover {

class KeepingQueue {
 public:
  using Content = mailboxes::MailboxSource::Content;
  struct Kept {
    std::string source_id;
    mailboxes::ContentForm form;
    ContentKeeper::KeptContent content;
  };
  static constexpr std::size_t threads = 2;      // each has one batch at work
  static constexpr std::size_t waiting_max = 2;  // batches, besides those

  // The keeper keeps for nobody else as long as the queue lives.
  explicit KeepingQueue(ContentKeeper& keeper);
  // Ends after the batches at work; what waits is given up.
  ~KeepingQueue();

  // Waits while the queue is full. After a failure the error of that batch, for every batch from then on.
  Status give(std::vector<Content> batch, const Deadline& deadline);
  // What has become durable since the last call.
  std::vector<Kept> take_kept();
  // Waits until everything given is durable, and hands over the rest; also what was kept before a failure, or beside it.
  Status finish(std::vector<Kept>& rest);

 private:
  struct Batch {
    std::vector<Content> contents;
    Deadline deadline;
  };
  void run();

  ContentKeeper& keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> waiting_;  // guarded by mutex_, as all below
  std::size_t at_work_ = 0;
  bool is_closing_ = false;
  std::vector<Kept> kept_;
  std::optional<Error> failure_;
  std::vector<std::thread> threads_;
};

}  // namespace mailhold::recover
