// SegmentSupply: makes segments, the next one ahead of time on a thread of its own, so that going over to it
// costs the committer nothing. Internal to this room.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "platform/segments/segment_writer.h"
#include "platform/segments/writable_segment.h"

namespace mailhold::segments {

class SegmentSupply {
 public:
  SegmentSupply(const SegmentSettings& settings, std::uint64_t number_last);
  ~SegmentSupply();

  // A segment with at least so many bytes. unavailable at once if the last try failed a moment ago.
  Result<std::unique_ptr<WritableSegment>> take(std::uint64_t bytes_min);

 private:
  using Made = Result<std::unique_ptr<WritableSegment>>;
  Made make(std::uint64_t bytes);  // called by one thread at a time
  void run();

  const SegmentSettings settings_;
  std::uint64_t number_last_;
  std::chrono::steady_clock::time_point next_try_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<WritableSegment> ready_;
  bool wanted_ = true;  // the thread shall make one, or is at it
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace mailhold::segments
