// Release: takes messages out of the store for good. Their wraps and names go; what lay in a bundle with them is written anew
// first, under a key of its own, and the old bundle's wraps go, so that no copy of the packs gives back what was taken out.
// Internal to this room; one use, under the store's lock.
//
// Design: docs/formats/store.md
#pragma once

#include "core/store/new_objects.h"

namespace mailhold::store {

class Release {
 public:
  Release(const NewObjects::Rooms& rooms, StoreRows& rows, ObjectShelf& shelf, StoreKeys& keys, const Deadline& deadline)
      : rows_(rows), shelf_(shelf), deadline_(deadline), epoch_keys_(keys, deadline_), objects_(rooms) {}

  enum class Parts { stay, go_with_their_last_use };
  // All of them, final in the files, or on an error none. Returns how many wraps went.
  Result<std::uint64_t> run(Id tenant, const std::vector<Id>& messages, Parts parts);

 private:
  Status write_rest_anew(Id tenant, Id bundle);
  Result<std::vector<MessageContent>> rest_of(const OpenedWrap& wrap);
  Result<std::vector<WrapUnder>> epochs_of(const std::vector<WrapRow>& wraps);

  StoreRows& rows_;
  ObjectShelf& shelf_;
  const Deadline& deadline_;
  EpochKeys epoch_keys_;
  NewObjects objects_;
  std::set<Id> going_;
};

}  // namespace mailhold::store
