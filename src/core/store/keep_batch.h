// KeepBatch: gathers what a batch of messages adds to the store, then writes it: objects first, then rows.
// Internal to this room; used by one thread, under the store's lock.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/store/new_objects.h"
#include "core/store/object_shelf.h"
#include "core/store/preparation.h"

namespace mailhold::store {

class KeepBatch {
 public:
  struct Rooms {  // what it works with; all outlive it
    NewObjects::Rooms objects;
    ObjectShelf& shelf;
    StoreKeys& keys;
    RecentParts& recent;
    Preparation& preparation;
  };
  // All of it happens inside the transaction of the session.
  KeepBatch(const Rooms& rooms, records::Session& session, const Deadline& deadline)
      : rooms_(rooms), session_(session), deadline_(deadline), epoch_keys_(rooms.keys, deadline_), objects_(rooms.objects) {}

  // Without `prepared` it is prepared here, if it is to be kept.
  Result<Kept> add(const NewMessage& message, std::optional<PreparedMessage> prepared);
  Status write();
  // After the commit.
  void remember() const;

 private:
  struct PartToKeep {
    Id tenant;
    Epoch epoch;
    const PreparedPart& prepared;
    CutPart& cut;
  };
  // Small messages that become one object.
  struct OpenBundle {
    std::vector<MessageContent> messages;
    std::size_t bytes = 0;
  };
  using Whose = std::pair<Id, Epoch>;
  Result<Id> find_or_add(const PartToKeep& part, Kept& kept);
  Result<Id> find(const PartToKeep& part);
  Status add_recipe(const Whose& whose, Id message, PreparedMessage prepared, Kept& kept);
  Result<std::uint64_t> add_messages(const Whose& whose, const std::vector<MessageContent>& messages);

  const Rooms& rooms_;
  records::Session& session_;
  const Deadline& deadline_;
  EpochKeys epoch_keys_;
  NewObjects objects_;
  std::set<std::pair<Id, Id>> messages_;
  std::map<std::string, Id> parts_;  // seen in this batch, by RecentParts::key
  std::map<Whose, OpenBundle> bundles_;
};

}  // namespace mailhold::store
