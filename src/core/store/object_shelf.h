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

class ObjectShelf {
 public:
  ObjectShelf(const StoreSettings& settings, StoreRows& rows, blobs::BlobStore& blobs)
      : settings_(settings), rows_(rows), blobs_(blobs), packs_(settings.folder / "packs") {}

  // The first of the rows that opens. not_found if there is none or all their keys are destroyed.
  Result<OpenedWrap> unwrap(std::vector<WrapRow> rows, EpochKeys& keys) const;
  // The content; the wrap it was opened with goes to `opened` if that is given.
  Result<std::string> load_message(Id tenant, Id message, EpochKeys& keys, const Deadline& deadline,
                                   OpenedWrap* opened = nullptr);
  Result<std::string> load_part(Id tenant, Id part, EpochKeys& keys, const Deadline& deadline);
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
  Result<std::string> load(ObjectName name, const FindWraps& find, EpochKeys& keys, const Deadline& deadline, OpenedWrap* opened);
  Result<std::string> open_alone(const ObjectName& name, const OpenedWrap& wrap, std::string_view bytes) const;
  Result<std::string> open_member(const ObjectName& name, std::uint32_t member, const OpenedWrap& wrap,
                                  std::string_view bytes) const;
  Result<bool> gives(Id tenant, const Recipe& recipe, EpochKeys& keys, const Deadline& deadline);

  const StoreSettings& settings_;
  StoreRows& rows_;
  blobs::BlobStore& blobs_;
  segments::SegmentReader packs_;
};

}  // namespace mailhold::store
