// Release: takes messages out of the store for good. Their wraps and names go; what lay in a bundle with them is written anew
// first, under a key of its own, and the old bundle's wraps go, so that no copy of the packs gives back what was taken out. Of a
// damaged bundle that is what can still be read, chunk by chunk of its seal.
// Internal to this room; one use, under the store's lock.
//
// Design: docs/formats/store.md
#pragma once

#include <map>
#include <set>

#include "core/store/new_objects.h"

namespace mailhold::store {

class Release {
 public:
  // `salvage`: as of MessageStore::release_from_damage; without it a bundle that does not open ends the release.
  Release(const NewObjects::Rooms& rooms, StoreRows& rows, ObjectShelf& shelf, StoreKeys& keys, const Deadline& deadline,
          MessageStore::Salvage salvage = {})
      : rows_(rows),
        shelf_(shelf),
        deadline_(deadline),
        epoch_keys_(keys, deadline_),
        objects_(rooms),
        salvage_(std::move(salvage)) {}

  enum class Parts { stay, go_with_their_last_use };
  // All of them but those that salvaged() says stay, final in the files, or on an error none. Returns how many wraps went.
  Result<std::uint64_t> run(Id tenant, const std::vector<Id>& messages, Parts parts);
  const MessageStore::Salvaged& salvaged() const { return salvaged_; }

 private:
  Status leave_bundles(Id tenant, const std::set<Id>& bundles, Parts parts, std::map<Id, std::vector<Id>>& objects);
  Status write_rest_anew(Id tenant, Id bundle, Parts parts);
  Result<std::vector<MessageContent>> rest_of(const OpenedWrap& wrap);
  Result<std::vector<MessageContent>> rest_of_damaged(Id tenant, Id object, const Result<OpenedWrap>& wrap);
  Result<bool> stays(Id tenant, Id object, Id message, std::size_t index);
  Status lose(const std::vector<Id>& unreadable);
  static Result<MessageContent> content_of(Bundle& bundle, std::size_t index);
  Result<std::vector<WrapUnder>> epochs_of(const std::vector<WrapRow>& wraps);

  StoreRows& rows_;
  ObjectShelf& shelf_;
  const Deadline& deadline_;
  EpochKeys epoch_keys_;
  NewObjects objects_;
  const MessageStore::Salvage salvage_;
  std::set<Id> going_;
  MessageStore::Salvaged salvaged_;
};

}  // namespace mailhold::store
