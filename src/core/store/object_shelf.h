// ObjectShelf: opens stored objects: finds a wrap whose epoch key is there, the data key in it, the bytes, the content.
// Internal to this room. Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/store/message_store.h"
#include "core/store/recipe.h"
#include "core/store/store_rows.h"
#include "core/store/stored_object.h"
#include "platform/segments/segment_reader.h"

namespace mailhold::store {

// The epoch keys of one call, each asked for once.
class EpochKeys {
 public:
  EpochKeys(StoreKeys& keys, const Deadline& deadline) : keys_(keys), deadline_(deadline) {}
  Result<const EpochKey*> get(Id tenant, Epoch epoch);                         // the newest, to wrap
  Result<const EpochKey*> get(Id tenant, Epoch epoch, std::uint32_t version);  // the one a wrap names

 private:
  StoreKeys& keys_;
  const Deadline& deadline_;
  std::map<std::tuple<Id, Epoch, std::uint32_t>, EpochKey> known_;  // version 0: the newest
};

// A data key, and the row it came from.
struct OpenedWrap {
  WrapRow row;
  SecretText data_key;
};

// What is in a bundle: as many contents as messages, in their stored form.
struct Bundle {
  std::vector<Id> messages;
  std::vector<std::string> stored;
};

// A bundle that was opened, kept for who reads one message of it after the other.
struct OpenedBundle {
  Id object;
  Bundle bundle;
};

class ObjectShelf {
 public:
  ObjectShelf(const StoreSettings& settings, StoreRows& rows, blobs::BlobStore& blobs)
      : settings_(settings), rows_(rows), blobs_(blobs), packs_(settings.folder / "packs") {}

  // The first of the rows that opens. not_found if there is none or all their keys are destroyed.
  Result<OpenedWrap> unwrap(std::vector<WrapRow> rows, EpochKeys& keys) const;
  // The content, also out of a damaged object where it is whole there.
  struct Loading {
    OpenedWrap* opened = nullptr;    // gets the wrap it was opened with
    MessageStore::IsOf is_of = {};   // finds what lies behind damage
    OpenedBundle* bundle = nullptr;  // gets the bundle that it lies in; if it is that one already, nothing is read
  };
  Result<std::string> load_message(Id tenant, Id message, EpochKeys& keys, const Deadline& deadline, const Loading& loading);
  Result<std::string> load_message(Id tenant, Id message, EpochKeys& keys, const Deadline& deadline) {
    return load_message(tenant, message, keys, deadline, Loading());
  }
  Result<std::string> load_part(Id tenant, Id part, EpochKeys& keys, const Deadline& deadline);
  // Of one that does not load, why. Errors are what passes.
  Result<Soundness> judge_message(Id tenant, Id message, EpochKeys& keys, const Deadline& deadline);
  Result<Soundness> judge_part(Id tenant, Id part, EpochKeys& keys, const Deadline& deadline);
  // All messages of a bundle, whose record these bytes are.
  Result<Bundle> open_bundle(const OpenedWrap& wrap, std::string_view bytes) const;
  // What can still be read of a damaged bundle; empty stored forms for the rest. `members`: the names that mean it. corrupt where
  // nothing shows that the bytes at its place are its own: they may be elsewhere, and whole. Else the errors of reading.
  Result<Bundle> remains_of(const OpenedWrap& wrap, const std::vector<NameRow>& members, const MessageStore::IsOf& is_of,
                            EpochKeys& keys, const Deadline& deadline);
  // The record as it lies.
  Result<std::string> read(ObjectKind kind, Id object, const Place& place, const Deadline& deadline) const;

  segments::SegmentReader& packs() { return packs_; }
  static std::string blob_name(Id object);

 private:
  using FindWraps = std::function<Result<NamedWraps>()>;
  Result<std::string> load(ObjectName name, const FindWraps& find, EpochKeys& keys, const Deadline& deadline,
                           const Loading& loading);
  Result<std::string> load_from_damage(const ObjectName& name, std::uint32_t member, const OpenedWrap& wrap,
                                       const MessageStore::IsOf& is_of, EpochKeys& keys, const Deadline& deadline);
  Result<Bundle> remains_by_head_or_names(const OpenedWrap& wrap, const MessageStore::IsOf& is_of, EpochKeys& keys,
                                          const Deadline& deadline);
  Result<Soundness> judge(const ObjectName& name, const Result<NamedWraps>& found, EpochKeys& keys, const Deadline& deadline);
  Result<std::string> read_as_it_lies(const OpenedWrap& wrap, std::uint64_t bytes_max, const Deadline& deadline) const;
  // Of a record in the packs; how large a blob is, its file says.
  std::uint64_t bytes_max_at(const Place& place) const {
    return place.segment == 0 ? UINT32_MAX : settings_.packed_part_bytes_max + (1U << 20);
  }
  std::uint64_t content_bytes_max() const { return settings_.message_bytes_max + (4U << 20); }
  Result<std::string> open_alone(const ObjectName& name, const OpenedWrap& wrap, std::string_view bytes) const;
  Result<std::string> open_member(const ObjectName& name, std::uint32_t member, const OpenedWrap& wrap, std::string_view bytes,
                                  const Loading& loading) const;
  static Result<std::string> content_of_member(const ObjectName& name, std::uint32_t member, const Bundle& bundle);
  Result<bool> gives(Id tenant, const Recipe& recipe, EpochKeys& keys, const Deadline& deadline);

  const StoreSettings& settings_;
  StoreRows& rows_;
  blobs::BlobStore& blobs_;
  segments::SegmentReader packs_;
};

}  // namespace mailhold::store
