// Queue: accepted messages on their way to their next hop, from the spool until each recipient has an end. This is the
// door of the room: the program opens it, tells it about routes and new mail, and administrators act through it.
//
// Any thread. Everything an administrator changes is durable when the call returns, save where it says otherwise.
// Design: docs/flows/delivery.md, docs/formats/queue.md
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "features/gateway/queue/clerk.h"
#include "features/gateway/queue/intake.h"
#include "features/gateway/queue/queue_settings.h"

namespace mailhold::queue {

class Queue {
 public:
  struct Parts {  // all must outlive the queue
    spool::SpoolReader& spool;
    store::MessageStore& store;
    store::TraceLog& trace;
    records::Records& records;
    store::StoreKeys& keys;
    outbound::Opener& opener;
    const Clock& clock;
  };

  static Result<std::unique_ptr<Queue>> open(QueueSettings settings, Parts parts, const Deadline& deadline);
  ~Queue();

  // Nothing moves before start(); give it the routes first, or mail waits for them.
  void start();
  // Ends deliveries under way within the patience, commits, and stops all threads.
  void stop(std::chrono::milliseconds patience);

  void set_routes(access::RouteTable table);
  void spooled(segments::Position durable_to) { intake_->spooled(durable_to); }

  // A message as an administrator sees it.
  struct Entry {
    QueueItem item;
    Id route;  // none: its tenant has no route
    bool is_paused = false;
    bool is_active = false;  // being delivered, or about to
  };
  Result<std::vector<Entry>> list(Id tenant, std::size_t limit, const Deadline& deadline);  // tenant none: all
  Result<Entry> show(Id message, const Deadline& deadline);

  Status pause(Id route, const Deadline& deadline);
  Status resume(Id route, const Deadline& deadline);  // what waited is tried at once
  std::set<Id> paused() const;
  Result<std::uint64_t> flush(Id tenant, const Deadline& deadline);  // all that waits is tried now
  Status requeue(Id message, const Deadline& deadline);              // this one is tried now
  // No recipient is tried any more; nobody is told. One that is being sent this moment may still arrive. Durable a moment later.
  Status remove(Id message, const Deadline& deadline);

  // Held messages: back into the queue, exactly once; or forgotten (the store keeps it as long as its day).
  held::HeldItems& held() { return *held_; }
  Status release(Id message, const std::string& why, const Deadline& deadline);
  Status remove_held(Id message, const std::string& why, const Deadline& deadline);

  struct Counts {
    std::uint64_t taken = 0, delivered = 0, sessions = 0, active = 0, waiting = 0, held = 0, to_store = 0, to_commit = 0;
  };
  Result<Counts> counts(const Deadline& deadline);
  // Queued and held messages whose rows are sealed under the key of that day.
  Result<std::uint64_t> rows_of_day(Id tenant, std::uint32_t day, const Deadline& deadline);

  // The bytes of a message that was accepted, stored already or not yet; not_found, and as MessageStore::retrieve. Of this tenant
  // only.
  Result<std::shared_ptr<const std::string>> load_kept(Id tenant, Id message, const Deadline& deadline);

  store::TraceLog& trace() { return parts_.trace; }
  store::MessageStore& store() { return parts_.store; }

 private:
  void flush_active(Id tenant, Id message);
  Queue(QueueSettings settings, Parts parts);
  void admit(std::shared_ptr<Active> active);
  void start_due(const std::vector<RowSummary>& rows);
  void start_row(const RowSummary& row, std::vector<Id>& postponed);
  void start_or_fail(std::shared_ptr<Active> active, const Routes& routes);
  WaitingItem place(QueueItem item) const;
  Result<std::shared_ptr<const std::string>> load_body(const QueueItem& item);
  std::shared_ptr<const Routes> routes() const;
  bool is_paused(const access::Route* route) const;
  std::shared_ptr<Active> active(Id message) const;

  const QueueSettings settings_;
  const Parts parts_;
  SpoolProgress progress_;
  std::unique_ptr<QueueIndex> index_;
  std::unique_ptr<held::HeldItems> held_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<Clerk> clerk_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Intake> intake_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Routes> routes_;  // guarded by mutex_, like all below
  std::set<Id> paused_;
  std::map<Id, std::shared_ptr<Active>> active_;  // at work, until the clerk has committed what came of it
};

}  // namespace mailhold::queue
