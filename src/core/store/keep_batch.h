// KeepBatch: gathers what a batch of messages adds to the store, then writes it: objects first, then rows.
// Internal to this room; used by one thread, under the store's lock.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/message_cut.h"
#include "core/store/new_objects.h"
#include "core/store/object_shelf.h"

namespace mailhold::store {

// Parts that were wrapped under an epoch a short while ago, so that a popular one costs no look-up.
class RecentParts {
 public:
  static std::string key(Id tenant, Epoch epoch, const std::string& token);
  const Id* find(const std::string& key) const;
  void add(const std::string& key, Id object);
  void clear() { parts_.clear(); }

 private:
  std::unordered_map<std::string, Id> parts_;
};

class KeepBatch {
 public:
  struct Rooms {  // what it works with; all outlive it
    NewObjects::Rooms objects;
    ObjectShelf& shelf;
    StoreKeys& keys;
    RecentParts& recent;
  };
  // All of it happens inside the transaction of the session.
  KeepBatch(const Rooms& rooms, records::Session& session, const Deadline& deadline)
      : rooms_(rooms), session_(session), deadline_(deadline), epoch_keys_(rooms.keys, deadline_), objects_(rooms.objects) {}

  Result<Kept> add(const NewMessage& message, CutMessage& cut);
  Status write();
  // After the commit.
  void remember() const;

 private:
  struct PartToKeep {
    Id tenant;
    Epoch epoch;
    std::string token;
    std::string_view bytes;
  };
  // Small messages that become one object.
  struct OpenBundle {
    std::vector<MessageContent> messages;
    std::size_t bytes = 0;
  };
  using Whose = std::pair<Id, Epoch>;
  Result<std::string> token_of(Id tenant, std::string_view bytes);
  Result<Id> find_or_add(const PartToKeep& part, Kept& kept);
  Result<Id> find(const PartToKeep& part);
  Status add_recipe(const Whose& whose, Id message, const Recipe& recipe, Kept& kept);
  Result<std::uint64_t> add_messages(const Whose& whose, const std::vector<MessageContent>& messages);

  const Rooms& rooms_;
  records::Session& session_;
  const Deadline& deadline_;
  EpochKeys epoch_keys_;
  NewObjects objects_;
  std::map<Id, SecretText> token_keys_;
  std::set<std::pair<Id, Id>> messages_;
  std::map<std::string, Id> parts_;  // seen in this batch, by RecentParts::key
  std::map<Whose, OpenBundle> bundles_;
};

}  // namespace mailhold::store
