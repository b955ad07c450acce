// NewObjects: what a batch adds to the store. It seals objects under data keys of their own, gathers their wraps, names and uses,
// and writes them: first the bytes, then the rows. Internal to this room; used by one thread, under the store's lock.
#pragma once

#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/store/message_cut.h"
#include "core/store/message_store.h"
#include "core/store/object_shelf.h"
#include "core/store/recipe.h"

namespace mailhold::store {

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

// An epoch whose key is to wrap a data key. The key outlives the call.
struct WrapUnder {
  Epoch epoch = 0;
  const EpochKey* key = nullptr;
};

// A message's content: its recipe in its stored form (Packing::compress), and the parts it names.
struct MessageContent {
  Id message;
  std::string stored;
  std::set<Id> parts;
};
std::set<Id> parts_of(const Recipe& recipe);

// A part of a message that is to be kept.
struct PreparedPart {
  std::string token;
  Id object;              // that it has, or gets if it is new
  std::string packed;     // Packing::pack of its bytes; empty: it was there already
  bool in_haste = false;  // if it has to be packed after all
};

class NewObjects {
 public:
  struct Rooms {  // what it works with; all outlive it
    const StoreSettings& settings;
    segments::SegmentWriter& packs;
    blobs::BlobStore& blobs;
    Packing& packing;
  };
  explicit NewObjects(const Rooms& rooms) : rooms_(rooms) {}

  struct Added {
    Id object;
    std::uint64_t bytes = 0;  // that it takes
  };
  // Packed here if it was not prepared.
  Added add_part(Id tenant, const PreparedPart& part, CutPart& cut, std::span<const WrapUnder> epochs);
  // One message as an object of its own, several as one bundle: at most bundle_messages_most, and all in bundle_bytes_max.
  Added add_messages(Id tenant, const std::vector<MessageContent>& messages, std::span<const WrapUnder> epochs);
  // One more wrap of an object that is there.
  void add_wrap(WrapRow row) { wraps_.push_back(std::move(row)); }

  // The bytes of all objects are durable when this returns.
  Status write_bytes(const Deadline& deadline);
  // After write_bytes, in the transaction that is to name them.
  Status write_rows(records::Session& session, const Deadline& deadline);

 private:
  Id new_id();
  std::uint64_t add(const ObjectName& name, std::string_view packed, std::span<const WrapUnder> epochs);

  const Rooms rooms_;
  RandomSupply random_;
  std::vector<WrapRow> wraps_;
  std::vector<NameRow> names_;
  std::vector<UseRow> uses_;
  std::vector<segments::NewRecord> records_;
  std::vector<std::pair<std::size_t, std::size_t>>
      record_wraps_;  // which wraps, from and how many, get the place of which record
  std::vector<std::pair<std::string, std::string>> large_;
};

}  // namespace mailhold::store
