// TraceLog: what happened to each message, sealed for its tenant, found by looking through all of it.
// No address or word stands outside the seal, so there is no index: a search opens the tenant's blocks, newest first.
//
// Any thread.
// Design: docs/formats/store.md
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "core/store/store_keys.h"
#include "platform/segments/segment_reader.h"

namespace mailhold::store {

struct TraceEvent {
  Id tenant;
  Id message;
  Milliseconds time = 0;
  std::vector<std::string> fields;  // opaque here; at most 64, together at most 64 KiB
};

// The fields are views into the opened block and live until the visitor returns.
struct TraceView {
  Id message;
  Milliseconds time = 0;
  std::vector<std::string_view> fields;
};

class TraceLog {
 public:
  static Result<std::unique_ptr<TraceLog>> open(const std::filesystem::path& folder, std::string region, StoreKeys& keys);
  virtual ~TraceLog() = default;

  // All events are durable when this returns. The events of one tenant in a call are sealed as one block: give it batches.
  virtual Status append(const std::vector<TraceEvent>& events, const Deadline& deadline) = 0;

  // One tenant's events, newest block first and newest event first within it, until the visitor says stop.
  // Blocks that do not open are skipped and logged. Returns how many bytes of events were looked at.
  using Visitor = std::function<segments::Visit(const TraceView&)>;
  virtual Result<std::uint64_t> scan(Id tenant, const Visitor& visitor, const Deadline& deadline) = 0;

  // Deletes the segments whose events are all older. Returns how many went.
  virtual Result<std::uint32_t> remove_older_than(Milliseconds time) = 0;
};

}  // namespace mailhold::store
