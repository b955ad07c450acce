// SegmentReader: reads records back, by Location or in order, while a writer in another process may
// still be appending. Every record is checked against its checksum; a wrong byte is never given out, but by read_damaged().
//
// All functions may be called from any thread.
// Design: docs/formats/segments.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/segments/location.h"

namespace mailhold::segments {

struct Record {
  std::uint16_t type = 0;
  std::string payload;
};

enum class Visit { go_on, stop };

enum class ScanStop {
  end,      // the file or the watermark is reached
  hole,     // zeros: nothing was ever written from here on, or not yet
  torn,     // bytes that are no whole record: a write that was cut off, one still going on, or damage
  visitor,  // the visitor said stop
};

enum class Holes { are_the_end, may_hide_more };

struct ScanEnd {
  Position next;  // where to go on: behind the last whole record
  ScanStop reason = ScanStop::end;
};

struct SegmentFile {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;  // preallocated, so usually more than is written
};

class OpenSegment;  // one open file

class SegmentReader {
 public:
  explicit SegmentReader(std::filesystem::path folder);
  ~SegmentReader();

  // All segments, oldest first. unavailable if the folder cannot be read.
  Result<std::vector<SegmentFile>> list() const;

  // Segments that get no more records: a later one holds a record already. Oldest first.
  Result<std::vector<std::uint64_t>> finished() const;

  // corrupt if the bytes there are not that record; not_found if the segment is gone.
  Result<Record> read(const Location& location) const;

  // The payload of a damaged record as it lies, for who can tell by other means what of it is right: location.length bytes, zeros
  // where the file ends before. not_found if the segment is gone.
  Result<std::string> read_damaged(const Location& location) const;

  // The records of one segment in order, from `from` to where it stops. `limit` is an offset: nothing beyond it is
  // read (all of the file without it). The payload lives until the visitor returns. not_found if the segment is gone.
  using Visitor = std::function<Visit(const Location&, std::uint16_t type, std::string_view payload)>;
  Result<ScanEnd> scan(Position from, const Visitor& visitor, std::uint64_t limit = UINT64_MAX) const;

  // The same, but stepping over damage to whole records behind it; each place is logged. A hole in the middle is damage only
  // where nothing is being written any more. Never says `torn` unless no whole record follows.
  Result<ScanEnd> scan_past_damage(Position from, const Visitor& visitor, Holes holes, std::uint64_t limit = UINT64_MAX) const;

  // After a scan stopped at `torn`: the next whole record behind that place, if there is one. Only damage in the middle
  // of a segment leaves one that was acknowledged; a power cut leaves at most ones that were not.
  Result<Position> next_whole_record(Position behind) const;  // not_found: none

  // Deletes the file. Done if it is gone already.
  Status remove(std::uint64_t segment);

 private:
  Result<std::shared_ptr<OpenSegment>> open(std::uint64_t segment) const;
  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  mutable std::map<std::uint64_t, std::shared_ptr<OpenSegment>> open_;  // at most a few
};

}  // namespace mailhold::segments
