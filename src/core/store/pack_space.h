// PackSpace: gives back the space of what nobody wraps any more, and writes places anew from the packs.
// Internal to this room.
#pragma once

#include <mutex>

#include "core/store/object_shelf.h"
#include "platform/segments/segment_writer.h"

namespace mailhold::store {

class PackSpace {
 public:
  // `turn` is the store's lock: while it is held nothing lies in the packs that is not in the rows yet.
  PackSpace(StoreRows& rows, ObjectShelf& shelf, segments::SegmentWriter& packs, blobs::BlobStore& blobs, std::mutex& turn)
      : rows_(rows), shelf_(shelf), packs_(packs), blobs_(blobs), turn_(turn) {}

  Result<Reclaimed> collect(const Deadline& deadline);
  Result<std::uint64_t> rebuild(const Deadline& deadline);

 private:
  Status collect_segments(Reclaimed& reclaimed, const Deadline& deadline);
  Status collect_blobs(Reclaimed& reclaimed, const Deadline& deadline);
  Status move_out_of(std::uint64_t segment, Reclaimed& reclaimed, const Deadline& deadline);

  StoreRows& rows_;
  ObjectShelf& shelf_;
  segments::SegmentWriter& packs_;
  blobs::BlobStore& blobs_;
  std::mutex& turn_;
};

}  // namespace mailhold::store
