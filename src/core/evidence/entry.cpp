#include "core/evidence/entry.h"

#include "base/bytes.h"

namespace mailhold::ledger {
namespace {

constexpr std::uint8_t entry_version = 1;
constexpr std::uint8_t kind_event = 1;
constexpr std::uint8_t kind_heads = 2;
constexpr std::uint32_t box_bytes_max = 1024;

Error damaged(const char* what) { return Error{ErrorKind::corrupt, std::string("ledger entry: ") + what}; }

Hash read_hash(ByteReader& reader) { return Hash::from_bytes(reader.raw(Hash::size)); }
Id read_id(ByteReader& reader) { return Id::from_bytes(reader.raw(Id::size)); }

Result<Event> parse_event_body(ByteReader reader) {
  Event event;
  event.tenant = read_id(reader);
  event.connection = read_id(reader);
  event.at = static_cast<Milliseconds>(reader.u64());
  event.seq = reader.u64();
  event.previous = read_hash(reader);
  event.connection_seq = reader.u64();
  event.connection_previous = read_hash(reader);
  event.commitment = read_hash(reader);
  if (!reader.ok()) return damaged("too short");
  event.payload = reader.rest();
  RETURN_IF_ERROR(parse_payload(event.payload));
  if (event.tenant.is_none() || event.seq == 0) return damaged("without a tenant or number");
  if (event.connection.is_none() != (event.connection_seq == 0)) return damaged("connection and its number do not fit");
  return event;
}

Result<Heads> parse_heads_body(ByteReader reader) {
  Heads heads;
  heads.at = static_cast<Milliseconds>(reader.u64());
  heads.count = reader.u64();
  heads.root = read_hash(reader);
  RETURN_IF_ERROR(reader.finish());
  return heads;
}

}  // namespace

std::string encode(const Payload& payload) {
  return ByteWriter()
      .u32(payload.key_version)
      .u32(payload.hour)
      .raw(payload.hour_key_id.bytes())
      .text(payload.box)
      .raw(payload.ciphertext)
      .take();
}

Result<Payload> parse_payload(std::string_view bytes) {
  if (bytes.size() > payload_bytes_max) return damaged("payload too long");
  ByteReader reader(bytes);
  Payload payload;
  payload.key_version = reader.u32();
  payload.hour = reader.u32();
  payload.hour_key_id = read_id(reader);
  payload.box = reader.text();
  if (!reader.ok() || payload.box.size() > box_bytes_max) return damaged("payload is malformed");
  payload.ciphertext = reader.rest();
  return payload;
}

std::string encode(const Event& event) {
  return ByteWriter()
      .u8(entry_version)
      .u8(kind_event)
      .raw(event.tenant.bytes())
      .raw(event.connection.bytes())
      .u64(static_cast<std::uint64_t>(event.at))
      .u64(event.seq)
      .raw(event.previous.bytes())
      .u64(event.connection_seq)
      .raw(event.connection_previous.bytes())
      .raw(event.commitment.bytes())
      .raw(event.payload)
      .take();
}

std::string encode(const Heads& heads) {
  return ByteWriter()
      .u8(entry_version)
      .u8(kind_heads)
      .u64(static_cast<std::uint64_t>(heads.at))
      .u64(heads.count)
      .raw(heads.root.bytes())
      .take();
}

Result<LogEntry> parse_log_entry(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  const std::uint8_t kind = reader.u8();
  if (!reader.ok() || version != entry_version) return damaged("of an unknown version");
  if (kind == kind_event) {
    ASSIGN_OR_RETURN(Event event, parse_event_body(reader));
    return LogEntry(std::move(event));
  }
  if (kind == kind_heads) {
    ASSIGN_OR_RETURN(Heads heads, parse_heads_body(reader));
    return LogEntry(heads);
  }
  return damaged("of an unknown kind");
}

Result<Event> parse_event(std::string_view bytes) {
  ASSIGN_OR_RETURN(LogEntry entry, parse_log_entry(bytes));
  if (auto* event = std::get_if<Event>(&entry)) return std::move(*event);
  return damaged("not an event");
}

Hash leaf_of_head(Id tenant, const Head& head) {
  return tlog::hash_leaf(ByteWriter().raw(tenant.bytes()).u64(head.seq).raw(head.leaf.bytes()).view());
}

}  // namespace mailhold::ledger
