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
  context.extra = ByteWriter().u32(place.day).take();
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

}  // namespace mailhold::held
