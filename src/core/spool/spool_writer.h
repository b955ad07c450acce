// SpoolWriter: makes accepted messages durable before the 250 is said. Everything is sealed under a random
// key for each (tenant, hour) that only the reader's side can have opened: the writer cannot read back what
// it wrote, and forgets a key when its hour is over.
//
// Any thread. append seals on the caller's thread; callbacks run on the committer thread.
// Design: docs/formats/spool.md
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "core/spool/spool_item.h"
#include "platform/segments/segment_writer.h"

namespace mailhold::spool {

struct SpoolPublicKey {
  std::uint32_t version = 0;
  std::string public_key;  // X25519, 32 bytes
};
// Asked once for each (tenant, hour).
using PublicKeyLookup = std::function<Result<SpoolPublicKey>(Id tenant)>;

class SpoolWriter {
 public:
  // Opens a new segment in settings.folder, see SegmentWriter::open. `region` names the cell in every sealing context.
  static Result<std::unique_ptr<SpoolWriter>> open(const segments::SegmentSettings& settings, std::string region,
                                                   PublicKeyLookup public_key);
  ~SpoolWriter();  // commits what is queued

  // The callback runs once, unless append itself failed: a Location when the item is durable, unavailable when the disk is
  // full or failing (answer 451). append itself: limit_exceeded when too much waits for the disk, and what the key look-up said.
  Status append(const SpoolItem& item, std::function<void(Result<Location>)> callback);
  // The same, waiting. timed_out: the item may become durable later.
  Result<Location> append_and_wait(const SpoolItem& item, const Deadline& deadline);

  Position watermark() const;
  segments::SegmentWriter::Counts counts() const;

 private:
  struct HourKey;
  SpoolWriter(std::unique_ptr<segments::SegmentWriter> writer, std::uint64_t record_bytes_max, std::string region,
              PublicKeyLookup public_key);
  Result<segments::NewRecord> seal(const SpoolItem& item);
  Result<std::shared_ptr<const HourKey>> hour_key(Id tenant, Milliseconds time);

  const std::uint64_t item_bytes_max_;
  const std::unique_ptr<segments::SegmentWriter> writer_;
  const std::string region_;
  const PublicKeyLookup public_key_;
  std::mutex mutex_;
  std::map<std::pair<std::uint32_t, Id>, std::shared_ptr<const HourKey>> keys_;
};

}  // namespace mailhold::spool
