// The bytes of a block of the trace log. Internal to this room.
//
// Design: docs/formats/store.md, "Trace log"
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/store/store_keys.h"
#include "core/store/trace_log.h"

namespace mailhold::store {

struct TraceBlockHead {
  Id tenant;
  Id block;
  Milliseconds oldest = 0;
  Milliseconds newest = 0;
  std::uint32_t key_version = 0;
};

// How many of the first events make one block; at least one.
std::size_t events_in_block(std::span<const TraceEvent* const> events, std::size_t bytes_max);
std::string encode_events(std::span<const TraceEvent* const> events);
// Newest first. What is not well-formed ends it: the block was authenticated before.
segments::Visit visit_newest_first(std::string_view block, const TraceLog::Visitor& visitor);

std::string seal_trace_block(const std::string& region, const TraceBlockHead& head, const EpochKey& key, std::string_view packed);
Result<TraceBlockHead> parse_trace_block_head(std::string_view bytes);  // corrupt
// The events as encode_events wrote them. corrupt if it is not that tenant's block, or was changed.
Result<std::string> open_trace_block(const std::string& region, Id tenant, const EpochKey& key, std::string_view bytes);

}  // namespace mailhold::store
