#include "core/spool/spool_format.h"

#include "base/bytes.h"

namespace mailhold::spool {

std::string encode(const KeyRecord& record) {
  ByteWriter writer;
  writer.raw(record.key_id.bytes()).raw(record.tenant.bytes()).u32(record.hour).u32(record.spool_key_version).raw(record.box);
  return writer.take();
}

Result<KeyRecord> parse_key_record(std::string_view payload) {
  ByteReader reader(payload);
  KeyRecord record;
  record.key_id = Id::from_bytes(reader.raw(Id::size));
  record.tenant = Id::from_bytes(reader.raw(Id::size));
  record.hour = reader.u32();
  record.spool_key_version = reader.u32();
  record.box = reader.rest();
  if (!reader.ok()) return Error{ErrorKind::corrupt, "a key record of the spool is too short"};
  return record;
}

std::string encode_without_row(const ItemRecord& record) {
  ByteWriter writer;
  writer.raw(record.message.bytes()).raw(record.tenant.bytes());
  writer.u64(static_cast<std::uint64_t>(record.accepted_at)).raw(record.key_id.bytes());
  return writer.take();
}

Result<ItemRecord> parse_item_record(std::string_view payload) {
  ByteReader reader(payload);
  ItemRecord record;
  record.message = Id::from_bytes(reader.raw(Id::size));
  record.tenant = Id::from_bytes(reader.raw(Id::size));
  record.accepted_at = static_cast<Milliseconds>(reader.u64());
  record.key_id = Id::from_bytes(reader.raw(Id::size));
  record.row = reader.rest();
  if (!reader.ok()) return Error{ErrorKind::corrupt, "an item record of the spool is too short"};
  return record;
}

sealed::Context box_context(const std::string& region, const KeyRecord& record) {
  sealed::Context context;
  context.region = region;
  context.tenant = record.tenant;
  context.kind = sealed::Kind::spool_hour_key;
  context.object_id = std::string(record.key_id.bytes());
  context.field = 1;
  context.version = record.hour;
  context.key_version = record.spool_key_version;
  return context;
}

sealed::Context item_context(const std::string& region, const ItemRecord& record) {
  sealed::Context context;
  context.region = region;
  context.tenant = record.tenant;
  context.kind = sealed::Kind::spool;
  context.object_id = std::string(record.message.bytes());
  context.field = 1;
  context.version = static_cast<std::uint64_t>(record.accepted_at);
  context.key_id = record.key_id;
  context.key_version = hour_key_version;
  return context;
}

}  // namespace mailhold::spool
