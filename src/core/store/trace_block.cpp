#include "core/store/trace_block.h"

#include <ranges>

#include "base/bytes.h"
#include "core/store/stored_object.h"
#include "formats/sealed/sealed.h"

namespace mailhold::store {
namespace {

constexpr std::size_t head_bytes = 2 * Id::size + 8 + 8 + 4;
constexpr std::size_t event_bytes_min = Id::size + 8 + 1;
constexpr std::uint64_t block_bytes_max = 16U << 20;

sealed::Context block_context(const std::string& region, const TraceBlockHead& head) {
  sealed::Context context;
  context.region = region;
  context.tenant = head.tenant;
  context.kind = sealed::Kind::trace;
  context.object_id = std::string(head.block.bytes());
  context.field = 1;
  context.version = static_cast<std::uint64_t>(head.newest);
  context.key_version = head.key_version;
  return context;
}

std::size_t size_of(const TraceEvent& event) {
  std::size_t bytes = event_bytes_min;
  for (const std::string& field : event.fields) bytes += 4 + field.size();
  return bytes;
}

}  // namespace

std::size_t events_in_block(std::span<const TraceEvent* const> events, std::size_t bytes_max) {
  std::size_t count = 0, bytes = 0;
  while (count < events.size() && (count == 0 || bytes + size_of(*events[count]) <= bytes_max))
    bytes += size_of(*events[count++]);
  return count;
}

std::string encode_events(std::span<const TraceEvent* const> events) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(events.size()));
  for (const TraceEvent* event : events) {
    writer.raw(event->message.bytes())
        .u64(static_cast<std::uint64_t>(event->time))
        .u8(static_cast<std::uint8_t>(event->fields.size()));
    for (const std::string& field : event->fields) writer.text(field);
  }
  return writer.take();
}

segments::Visit visit_newest_first(std::string_view block, const TraceLog::Visitor& visitor) {
  ByteReader reader(block);
  std::vector<TraceView> events(reader.count(event_bytes_min));
  for (TraceView& event : events) {
    event.message = Id::from_bytes(reader.raw(Id::size));
    event.time = static_cast<Milliseconds>(reader.u64());
    event.fields.resize(reader.u8());
    for (std::string_view& field : event.fields) field = reader.text();
    if (!reader.ok()) return segments::Visit::go_on;
  }
  for (const TraceView& event : events | std::views::reverse) {
    if (visitor(event) == segments::Visit::stop) return segments::Visit::stop;
  }
  return segments::Visit::go_on;
}

std::string seal_trace_block(const std::string& region, const TraceBlockHead& head, const EpochKey& key,
                             std::string_view packed) {
  ByteWriter writer;
  writer.raw(head.tenant.bytes()).raw(head.block.bytes());
  writer.u64(static_cast<std::uint64_t>(head.oldest)).u64(static_cast<std::uint64_t>(head.newest)).u32(head.key_version);
  writer.raw(sealed::seal_compact(key.key.reveal(), block_context(region, head), packed));
  return writer.take();
}

Result<TraceBlockHead> parse_trace_block_head(std::string_view bytes) {
  ByteReader reader(bytes);
  TraceBlockHead head;
  head.tenant = Id::from_bytes(reader.raw(Id::size));
  head.block = Id::from_bytes(reader.raw(Id::size));
  head.oldest = static_cast<Milliseconds>(reader.u64());
  head.newest = static_cast<Milliseconds>(reader.u64());
  head.key_version = reader.u32();
  if (!reader.ok()) return Error{ErrorKind::corrupt, "a block of the trace log is too short"};
  return head;
}

Result<std::string> open_trace_block(const std::string& region, Id tenant, const EpochKey& key, std::string_view bytes) {
  ASSIGN_OR_RETURN(const TraceBlockHead head, parse_trace_block_head(bytes));
  if (head.tenant != tenant) return Error{ErrorKind::corrupt, "a block of the trace log is another tenant's"};
  if (head.key_version != key.version) return Error{ErrorKind::corrupt, "a block of the trace log has another key version"};
  ASSIGN_OR_RETURN(const std::string packed,
                   sealed::open_compact(key.key.reveal(), block_context(region, head), bytes.substr(head_bytes)));
  return unpack(packed, block_bytes_max);
}

}  // namespace mailhold::store
