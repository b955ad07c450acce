#include "core/keys/key_wrapping.h"

#include "base/bytes.h"
#include "formats/sealed/context.h"
#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

sealed::Kind kind_of(const KeyPlace& place) {
  if (place.epoch != 0) return sealed::Kind::day_key;
  switch (place.slot) {
    case Slot::tenant: return sealed::Kind::tenant_key;
    case Slot::region: return sealed::Kind::region_key;
    case Slot::ledger_seed: return sealed::Kind::signing_seed;
    case Slot::entry: return sealed::Kind::entry_key;
  }
  return sealed::Kind::purpose_key;
}

sealed::Context context_of(const std::string& region, const KeyRow& row, const WrappingKey& above) {
  ByteWriter object;
  object.raw(row.id.bytes()).u8(static_cast<std::uint8_t>(row.place.slot)).u32(row.place.epoch);
  return {.region = region,
          .tenant = row.place.tenant,
          .kind = kind_of(row.place),
          .object_id = object.take(),
          .field = static_cast<std::uint16_t>(row.place.slot),
          .version = row.place.version,
          .key_id = above.id,
          .key_version = above.version};
}

}  // namespace

KeyRow wrap_key(const std::string& region, const KeyPlace& place, std::string_view key, const WrappingKey& above,
                Milliseconds now) {
  KeyRow row{place, Id::random(), now, above.version, {}};
  row.sealed = sealed::seal(above.key, context_of(region, row, above), key);
  return row;
}

Result<SecretText> unwrap_key(const std::string& region, const KeyRow& row, const WrappingKey& above) {
  if (row.sealed.empty()) return Error{ErrorKind::not_found, "the key was destroyed"};
  auto key = sealed::open_secret(above.key, context_of(region, row, above), row.sealed);
  if (!key) return key.error().while_doing("opening a key of tenant " + row.place.tenant.text());
  if (key->size() != sealed::key_size) return Error{ErrorKind::corrupt, "a wrapped key of wrong size"};
  return key;
}

Result<KeyRow> rewrap_key(const std::string& region, const KeyRow& row, const WrappingKey& above, const WrappingKey& newest) {
  ASSIGN_OR_RETURN(const SecretText key, unwrap_key(region, row, above));
  KeyRow again = row;
  again.key_version = newest.version;
  again.sealed = sealed::seal(newest.key, context_of(region, again, newest), key.reveal());
  return again;
}

}  // namespace mailhold::keys
