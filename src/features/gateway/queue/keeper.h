// Keeper: puts accepted messages into the store, in the order they were accepted and in batches, behind the back of
// delivery. When it falls behind it lets go of the bytes and reads them from the spool again.
//
// push() from any thread; keep_some() from one.
// Design: docs/flows/delivery.md
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/spool/spool_reader.h"
#include "core/store/message_store.h"
#include "core/store/trace_log.h"
#include "features/gateway/envelope.h"
#include "features/gateway/queue/spool_progress.h"

namespace mailhold::queue {

// An item of the spool that must be kept; head and body are empty when they are to be read again.
struct Arrival {
  Id tenant;
  Id message;
  spool::Location where;
  std::shared_ptr<const gateway::AcceptedMessage> head;
  std::shared_ptr<const std::string> body;
};

class Keeper {
 public:
  static constexpr std::size_t waiting_max = 200'000;

  Keeper(store::MessageStore& store, spool::SpoolReader& spool, SpoolProgress& progress, const Clock& clock)
      : store_(store), spool_(spool), progress_(progress), clock_(clock) {}

  void push(Arrival arrival);
  bool has_room() const;
  std::size_t waiting() const;
  bool has_full_batch() const;

  // Keeps one batch. Returns the trace events to tell: accepted and stored. Nothing is lost on an error: it is tried again.
  // Empty when there was nothing to do.
  Result<std::vector<store::TraceEvent>> keep_some(const Deadline& deadline);

  // The bytes of a message that is not kept yet; not_found: it is kept, or never came this way.
  Result<std::shared_ptr<const std::string>> body_of(Id tenant, Id message) const;

  // Everything before it is kept.
  segments::Position kept_to() const;

 private:
  std::vector<Arrival> next_batch();
  Status read_again(Arrival& arrival);
  Status keep(std::vector<Arrival>& batch, const Deadline& deadline);
  void keep_one_by_one(std::vector<Arrival>& batch, const Deadline& deadline);

  store::MessageStore& store_;
  spool::SpoolReader& spool_;
  SpoolProgress& progress_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::deque<Arrival> waiting_;  // guarded by mutex_, like all below
  std::size_t waiting_bytes_ = 0;
  segments::Position kept_to_;
};

}  // namespace mailhold::queue
