#include "features/held/row_seal.h"

#include "base/bytes.h"
#include "formats/sealed/sealed.h"

namespace mailhold::held {

sealed::Context RowSeal::context(const RowPlace& place, std::uint32_t key_version) const {
  sealed::Context context;
  context.region = region_;
  context.tenant = place.tenant;
  context.kind = place.kind;
  context.object_id = std::string(place.message.bytes());
  context.version = place.revision;
  context.key_id = place.tenant;
  context.key_version = key_version;
  context.extra = ByteWriter().u32(place.day).raw(place.beside).take();
  return context;
}

Result<std::string> RowSeal::seal(const RowPlace& place, std::string_view plaintext, const Deadline& deadline) const {
  ASSIGN_OR_RETURN(const store::EpochKey key, keys_.day_key(place.tenant, place.day, deadline));
  return sealed::seal(key.key.reveal(), context(place, key.version), plaintext);
}

Result<std::string> RowSeal::open(const RowPlace& place, std::string_view row, const Deadline& deadline) const {
  ASSIGN_OR_RETURN(const sealed::RowHeader header, sealed::read_row_header(row));
  ASSIGN_OR_RETURN(const store::EpochKey key, keys_.day_key(place.tenant, place.day, header.key_version, deadline));
  return sealed::open(key.key.reveal(), context(place, key.version), row);
}

Result<std::string> RowSeal::seal_short(const RowPlace& place, std::string_view plaintext, const Deadline& deadline) const {
  ASSIGN_OR_RETURN(const store::EpochKey key, keys_.day_key(place.tenant, place.day, deadline));
  ByteWriter row;
  row.u32(key.version).raw(sealed::seal_compact(key.key.reveal(), context(place, key.version), plaintext));
  return row.take();
}

Result<std::string> RowSeal::open_short(const RowPlace& place, std::string_view row, const Deadline& deadline) const {
  ByteReader reader(row);
  const std::uint32_t version = reader.u32();
  if (!reader.ok()) return Error{ErrorKind::corrupt, "too short for a sealed row"};
  ASSIGN_OR_RETURN(const store::EpochKey key, keys_.day_key(place.tenant, place.day, version, deadline));
  return sealed::open_compact(key.key.reveal(), context(place, version), reader.rest());
}

}  // namespace mailhold::held
