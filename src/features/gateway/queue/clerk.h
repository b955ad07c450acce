// Clerk: the one thread that makes the queue's state durable: it gathers what came of messages, writes the notices that
// are due, and commits it all in batches; it keeps new messages in the store, starts rows whose time has come, lets
// finished spool segments go and gives up held messages that nobody decided about.
// What it has not committed when the process dies is delivered once more; nothing is lost.
//
// Design: docs/flows/delivery.md
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "features/gateway/queue/delivery.h"
#include "features/gateway/queue/keeper.h"
#include "features/gateway/queue/queue_index.h"
#include "features/gateway/queue/queue_settings.h"
#include "features/held/held_items.h"

namespace mailhold::queue {

class Clerk {
 public:
  struct Parts {
    const QueueSettings& settings;
    records::Records& records;
    QueueIndex& index;
    held::HeldItems& held;
    store::MessageStore& store;
    store::TraceLog& trace;
    spool::SpoolReader& spool;
    SpoolProgress& progress;
    Keeper& keeper;
    const Clock& clock;
    std::function<segments::Position()> taken_to;                   // how far the intake is
    std::function<WaitingItem(QueueItem)> place;                    // with its route, and whether that is paused
    std::function<void(const std::vector<RowSummary>&)> start_due;  // rows whose time has come
    std::function<void(const Active&)> committed;                   // it is at work no more
    std::function<Result<std::shared_ptr<const std::string>>(const QueueItem&)> load_body;
  };

  explicit Clerk(Parts parts) : parts_(std::move(parts)) {}
  ~Clerk() { stop(); }

  void start();
  void stop();  // after a last commit

  // Any thread. All of it is durable some time later.
  void take(std::shared_ptr<Active> done);  // an attempt is over, or there was no room for it
  void hold(held::HeldItem item, segments::Location where);
  void forget(segments::Location where);  // an item of the spool that goes nowhere
  void tell(store::TraceEvent event);
  void look_for_due() {
    poked_ = true;
    wake_.notify_one();
  }

  std::size_t backlog() const;  // messages waiting to be committed

 private:
  struct Notice {
    QueueItem item;
    std::string bytes;
  };
  struct Batch {
    std::vector<std::shared_ptr<Active>> actives;
    std::vector<WaitingItem> rows;
    std::vector<Id> removed;
    std::vector<segments::Position> finished;
    std::vector<held::HeldItem> held;
    std::vector<std::uint64_t> segments_settled;
    std::vector<Notice> notices;
    bool are_notices_kept = false;
    bool is_empty() const { return actives.empty() && finished.empty() && held.empty(); }
  };

  void run(const std::stop_token& stop);
  void gather();
  void settle_into_batch(const std::shared_ptr<Active>& active);
  void add_notice(const Active& active, std::vector<dsn::Recipient> recipients, dsn::Action action);
  bool commit_batch();
  void make_flushed_due(const Deadline& deadline);
  Status write_batch(records::Session& session, const Deadline& deadline);
  void keep_arrivals();
  void tell_trace();
  void start_due();
  void tidy();

  const Parts parts_;
  std::jthread thread_;
  std::atomic<bool> poked_{false};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Active>> done_;                           // guarded by mutex_
  std::vector<std::pair<held::HeldItem, segments::Location>> to_hold_;  // guarded by mutex_
  std::vector<segments::Location> to_forget_;                           // guarded by mutex_
  std::vector<store::TraceEvent> events_;                               // guarded by mutex_

  // The clerk's thread only.
  Batch batch_;
  std::vector<store::TraceEvent> to_tell_;
  std::chrono::steady_clock::time_point kept_{};
  Milliseconds looked_for_due_ = 0;
  Milliseconds tidied_ = 0;
};

}  // namespace mailhold::queue
