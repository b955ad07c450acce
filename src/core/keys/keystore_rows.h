// How rows of the keystore's tables are written and read. Internal to this room.
#pragma once

#include <chrono>
#include <vector>

#include "core/keys/keystore.h"
#include "platform/records/records.h"

namespace mailhold::keys {

inline Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }
inline records::Value id_of(const Id& id) { return records::Value::bytes_of(id.bytes()); }
inline records::Values place_of(const KeyPlace& place) {
  return {id_of(place.tenant), static_cast<int>(place.slot), place.epoch, place.version};
}

inline constexpr const char* key_columns = "tenant, slot, epoch, version, id, created_at, key_version, sealed";
KeyRow key_row_of(const records::Values& columns);
inline constexpr const char* secret_columns =
    "tenant, connection, version, sealed, key_id, connection_key_version, key_version, sealed_key";
SecretRow secret_row_of(const records::Values& columns);

Status insert_keys(records::Session& session, const std::vector<KeyRow>& rows);
Status insert_seal(records::Session& session, const SealRow& seal);
Status update_seal(records::Session& session, const SealRow& seal);     // not_found
Status insert_shred(records::Session& session, const ShredRow& shred);  // counted with those before it
Status insert_event(records::Session& session, const KeyEvent& event);
// Those whose place was destroyed or is sealed under that version already stay as they are.
Status replace_keys(records::Session& session, const std::vector<KeyRow>& rows);

}  // namespace mailhold::keys
