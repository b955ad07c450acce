// SegmentWriter: appends records to preallocated files and says when each is safe on the disk.
// One committer thread gathers everything queued, writes it with one pwritev and one fdatasync, then
// runs the callbacks: a hundred waiting writers share one flush. It never reads, so its files may be
// write-only for it. After a failed write or flush the segment is closed for good (a failed fdatasync
// is never tried again on the same file, its pages may be lost) and the next batch begins a new one.
//
// All functions may be called from any thread. Callbacks run on the committer thread: keep them short.
// Design: docs/formats/segments.md
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/result.h"
#include "platform/segments/location.h"

namespace mailhold::segments {

struct SegmentSettings {
  std::filesystem::path folder;                 // must exist
  std::uint64_t segment_bytes = 64U << 20;      // preallocated; a larger record gets a segment of its own size
  std::uint64_t record_bytes_max = 256U << 20;  // payload of one record
  std::uint64_t queue_bytes_max = 128U << 20;   // waiting for the disk; beyond it append says limit_exceeded
  // While several writers wait at once, no flush follows the one before it sooner: a flush costs processor time whatever it
  // covers, and on a fast disk would cover one record only. A single writer never waits for this.
  std::chrono::microseconds gather{0};
  mode_t file_mode = 0240;                             // writer writes, the reader's group reads
  std::chrono::milliseconds retry_after_failure{200};  // how soon a new segment is tried after one could not be made
  const Clock* clock = &system_clock();                // numbers new segments
};

// A record that must stand earlier in the same segment as those that name it: the committer writes it
// once for each segment, just before its first use.
struct Preamble {
  std::string name;  // what makes it the same one
  std::uint16_t type = 0;
  std::string payload;
};

struct NewRecord {
  std::uint16_t type = 0;
  std::string head;  // the payload is head, then body: two strings so that nobody has to join them
  std::string body;
  std::shared_ptr<const Preamble> preamble{};  // may be none
};

class SegmentWriter {
 public:
  using Callback = std::function<void(Result<Location>)>;
  using GroupCallback = std::function<void(Result<std::vector<Location>>)>;

  // Begins a new segment; never appends to one that is there already. A folder that is full or failing is no
  // error: appends answer unavailable until it has healed. invalid_input if the folder does not exist.
  static Result<std::unique_ptr<SegmentWriter>> open(const SegmentSettings& settings);
  virtual ~SegmentWriter() = default;  // commits what is queued, runs every callback, closes

  // Never waits for the disk. The callback runs exactly once, unless append itself failed:
  //   a Location   the record is durable;
  //   unavailable  the disk is full or failing; the record may not be there after a restart.
  // limit_exceeded: the queue is full or the record too large; cancelled: the writer is closing.
  virtual Status append(NewRecord record, Callback callback) = 0;

  // The same for several records: they share the outcome. They may lie in different segments.
  virtual Status append_group(std::vector<NewRecord> records, GroupCallback callback) = 0;

  // Waits for the outcome. timed_out: the records may become durable later.
  Result<std::vector<Location>> append_and_wait(std::vector<NewRecord> records, const Deadline& deadline);

  // Up to where everything written is durable: nothing above it has been acknowledged.
  virtual Position watermark() const = 0;
  // How often fdatasync was called, and how many records were acknowledged.
  struct Counts {
    std::uint64_t flushes = 0, records = 0, failures = 0;
  };
  virtual Counts counts() const = 0;
};

}  // namespace mailhold::segments
