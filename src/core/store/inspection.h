// Inspection: reads messages one after the other and says what stands against giving them back.
// Internal to this room; one use, one thread.
//
// Design: docs/formats/store.md, "What is damaged, and what cannot be judged"
#pragma once

#include <set>
#include <vector>

#include "core/store/object_shelf.h"

namespace mailhold::store {

class Inspection {
 public:
  Inspection(ObjectShelf& shelf, std::uint64_t message_bytes_max, StoreKeys& keys, const MessageStore::IsOf& is_of,
             const Deadline& deadline)
      : shelf_(shelf), message_bytes_max_(message_bytes_max), is_of_(is_of), deadline_(deadline), keys_(keys, deadline_) {}

  // Errors are what passes.
  Result<Inspected> look_at(Id tenant, Id message);
  // Parts that were found damaged since this was last asked, each told once.
  std::vector<Id> take_damaged_parts() { return std::exchange(damaged_parts_, {}); }

 private:
  Result<Inspected> look_once(Id tenant, Id message);
  Result<Soundness> why_not(Id tenant, Id message, std::optional<Id> part);
  Status look_at_parts(Id tenant, const std::set<Id>& parts);

  ObjectShelf& shelf_;
  const std::uint64_t message_bytes_max_;
  const MessageStore::IsOf& is_of_;
  const Deadline& deadline_;
  EpochKeys keys_;
  OpenedBundle bundle_;  // the last one
  std::set<Id> known_damaged_;
  std::vector<Id> damaged_parts_;
};

}  // namespace mailhold::store
