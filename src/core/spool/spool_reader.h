// SpoolReader: reads spooled items back, one by Location or all in order, and removes segments that are done.
// It needs nothing but the folder: after a crash the queue is found again by scanning.
//
// Any thread. Hour keys are cached after keyd has opened their box.
// Design: docs/formats/spool.md
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret_text.h"
#include "core/spool/spool_item.h"
#include "platform/segments/segment_reader.h"

namespace mailhold::spool {

// keyd opens the box that holds an hour key: KeyClient::open_spool_box.
using BoxOpener =
    std::function<Result<SecretText>(Id tenant, std::uint32_t version, std::string_view box, std::string_view context)>;

// What the file says without any key.
struct SpoolEntry {
  Location location;
  Id message;
  Id tenant;
  Milliseconds accepted_at = 0;
};

class SpoolReader {
 public:
  SpoolReader(std::filesystem::path folder, std::string region, BoxOpener open_box);
  ~SpoolReader();

  // corrupt: the bytes there are not a whole item that opens; not_found: its segment is gone; unavailable: keyd is away.
  Result<SpoolItem> read(const Location& location);

  // Every item of all segments from `from` on, oldest first, without opening any. Returns where to go on; the part of the
  // last segment that is still being written is simply not seen yet. Damage inside a segment is logged and stepped over.
  Result<Position> scan(Position from, const std::function<segments::Visit(const SpoolEntry&)>& visitor) const;

  // Segments that get no more items, oldest first. Remove one when every item in it is stored or delivered.
  Result<std::vector<std::uint64_t>> finished() const { return reader_.finished(); }
  Result<std::vector<segments::SegmentFile>> list() const { return reader_.list(); }
  Status remove(std::uint64_t segment);

 private:
  struct KnownKey;
  Result<std::shared_ptr<KnownKey>> find_key(const Location& item, Id key_id);
  Result<std::shared_ptr<KnownKey>> open_key(const Location& item, Id key_id, Id tenant);
  Status learn_keys(std::uint64_t segment, std::uint64_t limit);

  segments::SegmentReader reader_;
  const std::string region_;
  const BoxOpener open_box_;
  std::mutex mutex_;
  std::map<Id, std::shared_ptr<KnownKey>> keys_;       // every key record seen in the segments that are there
  std::map<std::uint64_t, std::uint64_t> learned_to_;  // how far a segment was looked through for key records
};

}  // namespace mailhold::spool
