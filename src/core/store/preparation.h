// Preparation: what of keeping messages needs nobody's turn: cutting, the tokens of parts, compression. Which parts are new is a
// guess here; KeepBatch finds out, and compresses by itself what was guessed wrong. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/message_cut.h"
#include "core/store/new_objects.h"
#include "core/store/store_rows.h"

namespace mailhold::store {

// Parts that were wrapped under an epoch a short while ago, so that a popular one costs no look-up. Any thread.
class RecentParts {
 public:
  static std::string key(Id tenant, Epoch epoch, const std::string& token);
  std::optional<Id> find(const std::string& key) const;
  void add(const std::string& key, Id object);
  void clear();

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Id> parts_;  // guarded by mutex_
};

// Each is used by one thread at a time; they cost some milliseconds to make, and are used again. Any thread.
class Packings {
 public:
  explicit Packings(Compression compression) : compression_(compression) {}
  std::unique_ptr<Packing> take();
  void give_back(std::unique_ptr<Packing> packing);

 private:
  const Compression compression_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Packing>> idle_;  // guarded by mutex_
};

// Views live as long as the message's bytes.
struct PreparedMessage {
  CutMessage cut;                   // its recipe names the objects below
  std::vector<PreparedPart> parts;  // as many as cut.parts
  std::size_t encoded_bytes = 0;    // of the recipe
  std::string stored;               // its stored form
};

// Of one batch; one thread.
class Preparation {
 public:
  struct Rooms {  // what it works with; all outlive it
    const StoreSettings& settings;
    StoreRows& rows;
    StoreKeys& keys;
    const RecentParts& recent;
    Packings& packings;
    KnownBodies& bodies;
  };
  Preparation(const Rooms& rooms, const Deadline& deadline);
  ~Preparation();
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;

  // Nothing for one that seems to be there.
  Result<std::optional<PreparedMessage>> prepare(const NewMessage& message);
  // Also for one that seems to be there.
  Result<PreparedMessage> prepare_always(const NewMessage& message);

 private:
  // A keyed hash of the part's bytes.
  Result<std::string> token_of(Id tenant, CutPart& part);
  Result<PreparedPart> prepare_part(const NewMessage& message, CutPart& cut);
  Result<std::optional<Id>> find(Id tenant, std::string_view name);

  const Rooms rooms_;
  const Deadline& deadline_;
  std::map<Id, SecretText> token_keys_;
  RandomSupply random_;
  std::unique_ptr<Packing> packing_;
  std::map<std::string, Id> parts_;  // of this batch, by RecentParts::key
};

}  // namespace mailhold::store
