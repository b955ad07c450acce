// StoreRows: the tables of the store. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "core/store/store_keys.h"
#include "platform/records/records.h"
#include "platform/segments/location.h"

namespace mailhold::store {

// Where an object's record lies; segment 0: a blob.
struct Place {
  std::uint64_t segment = 0;
  std::uint64_t position = 0;
  std::uint32_t length = 0;
  segments::Location location() const { return {segment, position, length, 0}; }
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct WrapRow {
  Id tenant;
  Id object;
  Epoch epoch = 0;
  std::uint32_t key_version = 0;
  std::string wrap;
  Place place;
};

// How an object is found: a message by its id, a part by its token.
struct NameRow {
  Id tenant;
  std::string name;
  Id object;
  std::uint32_t member = 0;  // the name means the member of a bundle, counted from 1; 0: the object as a whole
};

// The wraps of a named object.
struct NamedWraps {
  std::uint32_t member = 0;
  std::vector<WrapRow> wraps;
};

// A message, or one of a bundle, uses a part; an object whose uses are noted stands for itself too.
struct UseRow {
  Id tenant;
  Id message;  // objects, both
  Id part;
};

struct ObjectPlace {
  Id tenant;
  Id object;
  Place place;
};

class StoreRows {
 public:
  explicit StoreRows(records::Records& records) : records_(records) {}
  Status migrate(const Deadline& deadline);

  // Newest epoch first, at most 64. Holds are newer than all days.
  Result<std::vector<WrapRow>> wraps_of(Id tenant, Id object, const Deadline& deadline);
  // Of the object with that name; at most 4, so that a part that is wrapped every day costs no more.
  Result<NamedWraps> wraps_of_name(Id tenant, std::string_view name, const Deadline& deadline);
  static Result<NamedWraps> wraps_of_name(records::Session& session, Id tenant, std::string_view name, const Deadline& deadline);
  // Whether or not something wraps its object.
  Result<std::optional<NameRow>> find_name(Id tenant, std::string_view name, const Deadline& deadline);

  // All names that mean the object or a member of it. Looks at every name of the tenant: for what is rare.
  Result<std::vector<NameRow>> names_of(Id tenant, Id object, const Deadline& deadline);

  // A wrap that is there stays as it is; a name that is there gets the new object.
  static Status add(records::Session& session, const std::vector<WrapRow>& wraps, const std::vector<NameRow>& names,
                    const Deadline& deadline);
  static Status add_uses(records::Session& session, const std::vector<UseRow>& uses, const Deadline& deadline);
  // Names of messages whose uses are not noted, with their objects.
  Result<std::vector<NameRow>> messages_without_uses(std::size_t limit, const Deadline& deadline);
  Status transaction(const records::Records::Work& work, const Deadline& deadline) {
    return records_.transaction(work, deadline);
  }

  // Wraps of an epoch under versions of its key below that one; and their replacement, final in the files.
  Result<std::vector<WrapRow>> wraps_below(Id tenant, Epoch epoch, std::uint32_t version, std::uint32_t limit,
                                           const Deadline& deadline);
  Status replace_wraps(const std::vector<WrapRow>& rows, const Deadline& deadline);

  // Deleted, and gone from the files: counts of rows.
  Result<std::uint64_t> remove_epoch(Id tenant, Epoch epoch, const Deadline& deadline);
  Result<std::uint64_t> remove_orphaned_names(const Deadline& deadline);

  // The wraps and uses of an object of messages; and of its parts every wrap that no other message of the same epoch needs. Count
  // of wraps. Final in the files after forget_deleted.
  static Result<std::uint64_t> remove_object(records::Session& session, Id tenant, Id object, const Deadline& deadline);
  static Result<std::uint64_t> remove_object_and_parts(records::Session& session, Id tenant, Id object, const Deadline& deadline);
  static Status remove_names(records::Session& session, Id tenant, const std::vector<Id>& messages, const Deadline& deadline);
  // The object is not found by a name any more.
  Status remove_names_of(Id tenant, Id object, const Deadline& deadline);
  Status forget_deleted(const Deadline& deadline) { return records_.forget_deleted(deadline); }

  struct SegmentUse {
    std::uint64_t segment = 0, bytes = 0;
  };
  Result<std::vector<SegmentUse>> segments_in_use(const Deadline& deadline);
  Result<std::vector<ObjectPlace>> objects_in(std::uint64_t segment, const Deadline& deadline);  // segment 0: the blobs
  Status move(const std::vector<std::pair<ObjectPlace, Place>>& moves, const Deadline& deadline);

  // Sets the places and names of wrapped objects; others are ignored.
  struct Found {
    ObjectPlace object;
    std::string name;
    std::uint32_t member = 0;
  };
  // Segments that the rows name and the last rebuild found no file of.
  Result<std::set<std::uint64_t>> segments_not_found(const Deadline& deadline);
  Status note_segments_not_found(const std::vector<std::uint64_t>& segments, const Deadline& deadline);
  Status set_places(const std::vector<Found>& found, const Deadline& deadline);

 private:
  records::Records& records_;
};

}  // namespace mailhold::store
