// Intake: reads accepted messages from the spool in order, as soon as they are durable, and hands each on:
// to delivery, to the held ones, or to the trace alone; and to the keeper. After a restart it begins with the oldest
// segment and skips what the index knows: so the queue is found again from the spool.
//
// One thread of its own. Design: docs/flows/delivery.md
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "core/spool/spool_reader.h"
#include "features/gateway/queue/clerk.h"

namespace mailhold::queue {

class Intake {
 public:
  struct Parts {
    const QueueSettings& settings;
    spool::SpoolReader& spool;
    QueueIndex& index;
    SpoolProgress& progress;
    Keeper& keeper;
    Clerk& clerk;
    std::function<void(std::shared_ptr<Active>)> admit;  // a message to deliver, with its bytes
    const Clock& clock;
  };

  explicit Intake(Parts parts) : parts_(std::move(parts)) {}
  ~Intake() { stop(); }

  void start();
  void stop();

  // Everything before this place is durable (gatewayd in says so). Any thread.
  void spooled(segments::Position durable_to);
  segments::Position position() const;
  std::uint64_t taken() const { return taken_; }
  std::uint64_t found_again() const { return found_again_; }  // after a restart: under way when the last one ended

 private:
  void run(const std::stop_token& stop);
  Status scan(const std::stop_token& stop, bool to_the_end);
  Status enter(std::uint64_t segment);
  bool take(const spool::SpoolEntry& entry);
  void hand_on(const spool::SpoolEntry& entry, spool::SpoolItem item, bool is_settled, bool is_kept);
  void wait_for_room(const std::stop_token& stop) const;

  const Parts parts_;
  std::jthread thread_;
  std::atomic<std::uint64_t> taken_{0}, found_again_{0};

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  segments::Position position_;    // guarded by mutex_
  segments::Position durable_to_;  // guarded by mutex_
  bool is_hinted_ = false;         // guarded by mutex_

  // Its own thread only.
  std::uint64_t segment_ = 0;               // the one being read
  std::set<std::uint64_t> settled_places_;  // in it
  segments::Position kept_before_;          // by the process before us
  segments::Position taken_before_;
};

}  // namespace mailhold::queue
