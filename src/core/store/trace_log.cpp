#include "core/store/trace_log.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <ranges>

#include "base/bytes.h"
#include "base/log.h"
#include "core/store/stored_object.h"
#include "core/store/trace_block.h"
#include "platform/segments/segment_writer.h"

namespace mailhold::store {
namespace {

constexpr std::uint16_t type_block = 1;
constexpr std::uint64_t segment_bytes = 16U << 20;
constexpr std::size_t block_bytes_max = 1U << 20;
constexpr std::size_t fields_max = 64;
constexpr std::size_t event_bytes_max = 64U << 10;

using segments::Location;
using segments::Visit;

class SegmentTraceLog final : public TraceLog {
 public:
  SegmentTraceLog(const std::filesystem::path& folder, std::string region, StoreKeys& keys,
                  std::unique_ptr<segments::SegmentWriter> writer)
      : region_(std::move(region)), keys_(keys), writer_(std::move(writer)), reader_(folder) {}

  Status append(const std::vector<TraceEvent>& events, const Deadline& deadline) override {
    std::map<Id, std::vector<const TraceEvent*>> by_tenant;
    for (const TraceEvent& event : events) {
      std::size_t bytes = 0;
      for (const std::string& field : event.fields) bytes += field.size();
      if (event.fields.size() > fields_max || bytes > event_bytes_max)
        return Error{ErrorKind::limit_exceeded, "a trace event is too large"};
      by_tenant[event.tenant].push_back(&event);
    }
    std::vector<segments::NewRecord> records;
    for (const auto& [tenant, of_tenant] : by_tenant) {
      ASSIGN_OR_RETURN(const EpochKey key, keys_.trace_key(tenant, deadline));
      for (auto rest = std::span(of_tenant); !rest.empty();) {
        const std::size_t count = events_in_block(rest, block_bytes_max);
        std::string block = seal_block(rest.first(count), key);
        records.push_back({type_block, std::move(block), {}, nullptr});
        rest = rest.subspan(count);
      }
    }
    if (records.empty()) return done();
    RETURN_IF_ERROR(writer_->append_and_wait(std::move(records), deadline));
    return done();
  }

  Result<std::uint64_t> scan(Id tenant, const Visitor& visitor, const Deadline& deadline) override {
    std::uint64_t bytes = 0;
    ASSIGN_OR_RETURN(const EpochKey key, keys_.trace_key(tenant, deadline));
    ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, reader_.list());
    for (const segments::SegmentFile& file : files | std::views::reverse) {
      ASSIGN_OR_RETURN(const std::vector<Location> blocks, blocks_of(tenant, file.number));
      for (const Location& location : blocks | std::views::reverse) {
        if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "searching the trace"};
        if (deadline.left().count() == 0) return Error{ErrorKind::timed_out, "searching the trace"};
        Result<std::string> block = open_block(tenant, location, key);
        if (!block) {
          log_error("trace", block.error().detail);
          continue;
        }
        bytes += block->size();
        if (visit_newest_first(*block, visitor) == Visit::stop) return bytes;
      }
    }
    return bytes;
  }

  Result<std::uint32_t> remove_older_than(Milliseconds time) override {
    std::uint32_t count = 0;
    ASSIGN_OR_RETURN(const std::vector<std::uint64_t> finished, reader_.finished());
    for (const std::uint64_t segment : finished) {
      const std::lock_guard lock(mutex_);
      RETURN_IF_ERROR(learn(segment));
      if (known_[segment].newest >= time) continue;
      known_.erase(segment);
      RETURN_IF_ERROR(reader_.remove(segment));
      ++count;
    }
    return count;
  }

 private:
  // Which blocks a segment holds; filled as far as it was looked through.
  struct Known {
    std::uint64_t looked_to = 0;
    Milliseconds newest = 0;
    std::map<Id, std::vector<Location>> blocks;
  };

  std::string seal_block(std::span<const TraceEvent* const> events, const EpochKey& key) {
    TraceBlockHead head{events[0]->tenant, Id::random(), events[0]->time, events[0]->time, key.version};
    for (const TraceEvent* event : events) {
      head.oldest = std::min(head.oldest, event->time);
      head.newest = std::max(head.newest, event->time);
    }
    const std::lock_guard lock(packing_mutex_);
    return seal_trace_block(region_, head, key, packing_.pack(encode_events(events)));
  }

  Result<std::string> open_block(Id tenant, const Location& location, const EpochKey& key) const {
    ASSIGN_OR_RETURN(const segments::Record record, reader_.read(location));
    return open_trace_block(region_, tenant, key, record.payload);
  }

  Result<std::vector<Location>> blocks_of(Id tenant, std::uint64_t segment) {
    const std::lock_guard lock(mutex_);
    if (Status learned = learn(segment); !learned) {
      if (learned.error().kind == ErrorKind::not_found) return std::vector<Location>();  // removed a moment ago
      return learned.error();
    }
    const auto& blocks = known_[segment].blocks;
    const auto found = blocks.find(tenant);
    return found != blocks.end() ? found->second : std::vector<Location>();
  }

  Status learn(std::uint64_t segment) {
    Known& known = known_[segment];
    const auto visit = [&known](const Location& location, std::uint16_t type, std::string_view payload) {
      const Result<TraceBlockHead> head = parse_trace_block_head(payload);
      if (type != type_block || !head) return Visit::go_on;
      known.blocks[head->tenant].push_back(location);
      known.newest = std::max(known.newest, head->newest);
      return Visit::go_on;
    };
    ASSIGN_OR_RETURN(const segments::ScanEnd end,
                     reader_.scan_past_damage({segment, known.looked_to}, visit, segments::Holes::are_the_end));
    known.looked_to = end.next.offset;
    return done();
  }

  const std::string region_;
  StoreKeys& keys_;
  const std::unique_ptr<segments::SegmentWriter> writer_;
  segments::SegmentReader reader_;
  std::mutex packing_mutex_;
  Packing packing_;
  std::mutex mutex_;
  std::map<std::uint64_t, Known> known_;
};

}  // namespace

Result<std::unique_ptr<TraceLog>> TraceLog::open(const std::filesystem::path& folder, std::string region, StoreKeys& keys) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return Error{ErrorKind::unavailable, "making the folder of the trace log: " + failure.message()};
  segments::SegmentSettings settings;
  settings.folder = folder;
  settings.segment_bytes = segment_bytes;
  settings.file_mode = 0600;
  ASSIGN_OR_RETURN(std::unique_ptr<segments::SegmentWriter> writer, segments::SegmentWriter::open(settings));
  return std::unique_ptr<TraceLog>(new SegmentTraceLog(folder, std::move(region), keys, std::move(writer)));
}

}  // namespace mailhold::store
