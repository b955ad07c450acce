// PackSpace: gives back the space of what nobody wraps any more, and writes places anew from the packs.
// Internal to this room.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "core/store/object_shelf.h"
#include "platform/segments/segment_writer.h"

namespace mailhold::store {

class Places;

class PackSpace {
 public:
  // `turn` is the store's lock: while it is held nothing lies in the packs that is not in the rows yet.
  PackSpace(StoreRows& rows, ObjectShelf& shelf, segments::SegmentWriter& packs, blobs::BlobStore& blobs, std::mutex& turn)
      : rows_(rows), shelf_(shelf), packs_(packs), blobs_(blobs), turn_(turn) {}

  // Nothing where another one, or a rebuild, is at work. corrupt, with nothing deleted, if the rows name a segment whose file is
  // gone: then they may be older than the packs, and what nothing in them names may be what they mean.
  Result<Reclaimed> collect(const Deadline& deadline);
  // Waits for a collect().
  Result<std::uint64_t> rebuild(const Deadline& deadline);

 private:
  struct Living {
    std::vector<std::uint64_t> finished;                // segments
    std::map<std::uint64_t, std::uint64_t> file_bytes;  // of all segments
    std::map<std::uint64_t, std::uint64_t> bytes;       // of what lives in those where something does
  };
  Result<Living> look(const Deadline& deadline);
  static std::vector<std::uint64_t> named_without_file(const Living& living);
  Status expect_rows_of_these_packs(const Living& living, const Deadline& deadline);
  Status collect_segments(Living& living, Reclaimed& reclaimed, const Deadline& deadline);
  Status collect_blobs(Reclaimed& reclaimed, const Deadline& deadline);
  Status scan(Places& places, std::set<std::uint64_t>& scanned);
  Status move_out_of(std::uint64_t segment, Reclaimed& reclaimed, const Deadline& deadline);

  StoreRows& rows_;
  ObjectShelf& shelf_;
  segments::SegmentWriter& packs_;
  blobs::BlobStore& blobs_;
  std::mutex& turn_;
  std::mutex sweeping_;  // who deletes files, and who looks for what lies in them; taken before turn_
};

}  // namespace mailhold::store
