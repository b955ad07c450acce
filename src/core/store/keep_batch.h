// KeepBatch: gathers what a batch of messages adds to the store, then writes it: objects first, then rows.
// Internal to this room; used by one thread, under the store's lock.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/message_cut.h"
#include "core/store/object_shelf.h"
#include "platform/segments/segment_writer.h"

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

// Random bytes for data keys and ids, drawn a few kilobytes at a time: the call costs more than what it gives. Lives no longer
// than a batch, and the salt of every seal is drawn afresh, so that a copy of the machine in between repeats no key stream.
class RandomSupply {
 public:
  ~RandomSupply() { wipe(bytes_); }
  SecretText take(std::size_t count);

 private:
  std::string bytes_;
  std::size_t used_ = 0;
};

// The message and each of its parts once.
void note_uses(Id tenant, Id message, const Recipe& recipe, std::vector<UseRow>& uses);

class KeepBatch {
 public:
  struct Rooms {  // what it works with; all outlive it
    const StoreSettings& settings;
    ObjectShelf& shelf;
    segments::SegmentWriter& packs;
    blobs::BlobStore& blobs;
    StoreKeys& keys;
    RecentParts& recent;
    Packing& packing;
  };
  // All of it happens inside the transaction of the session.
  KeepBatch(const Rooms& rooms, records::Session& session, const Deadline& deadline)
      : rooms_(rooms), session_(session), deadline_(deadline), epoch_keys_(rooms.keys, deadline_) {}

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
  Result<std::string> token_of(Id tenant, std::string_view bytes);
  Result<Id> find_or_add(const PartToKeep& part, Kept& kept);
  Result<Id> find(const PartToKeep& part);
  Status add_object(const ObjectName& name, Epoch epoch, std::string_view content, Kept& kept);

  const Rooms& rooms_;
  records::Session& session_;
  const Deadline& deadline_;
  EpochKeys epoch_keys_;
  RandomSupply random_;
  std::map<Id, SecretText> token_keys_;
  std::set<std::pair<Id, Id>> messages_;
  std::map<std::string, Id> parts_;  // seen in this batch, by RecentParts::key
  std::vector<WrapRow> wraps_;
  std::vector<NameRow> names_;
  std::vector<UseRow> uses_;
  std::vector<segments::NewRecord> records_;
  std::vector<std::size_t> record_wraps_;  // which wrap gets the place of which record
  std::vector<std::pair<std::string, std::string>> large_;
};

}  // namespace mailhold::store
