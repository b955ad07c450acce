#include "formats/sealed/context.h"

#include "base/bytes.h"

namespace mailhold::sealed {
namespace {

constexpr std::string_view magic = "ctx1";

}  // namespace

std::string Context::encode() const {
  ByteWriter writer;
  writer.raw(magic).text(region).text(tenant.bytes()).u16(static_cast<std::uint16_t>(kind)).text(object_id).u16(field);
  writer.u64(version).text(key_id.bytes()).u32(key_version).text(extra);
  return writer.take();
}

Result<Context> Context::parse(std::string_view bytes) {
  ByteReader reader(bytes);
  Context context;
  const bool known = reader.raw(magic.size()) == magic;
  context.region = std::string(reader.text());
  const std::string_view tenant = reader.text();
  context.tenant = Id::from_bytes(tenant);
  context.kind = static_cast<Kind>(reader.u16());
  context.object_id = std::string(reader.text());
  context.field = reader.u16();
  context.version = reader.u64();
  const std::string_view key_id = reader.text();
  context.key_id = Id::from_bytes(key_id);
  context.key_version = reader.u32();
  context.extra = std::string(reader.text());
  RETURN_IF_ERROR(reader.finish());
  if (!known || tenant.size() != Id::size || key_id.size() != Id::size) return Error{ErrorKind::corrupt, "not a sealing context"};
  return context;
}

}  // namespace mailhold::sealed
