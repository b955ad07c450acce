// How the secret of a connection is sealed: under the connection's own key, whose row also holds the hash of the policy the
// secret was put for. That hash lets keyd seal the secret anew; what a secret opens for is still what the asker names.
// Internal to this room.
#pragma once

#include <string_view>

#include "core/keys/hierarchy.h"
#include "core/keys/keystore.h"

namespace mailhold::keys {

// A new connection key and the secret under it; `row` says tenant, connection, version and the version before.
// `above` is the tenant's newest connection key.
void seal_secret(SecretRow& row, const std::string& region, const WrappingKey& above, std::string_view policy_hash,
                 std::string_view secret);

struct ConnectionKey {
  SecretText key;
  std::string policy_hash;
};
Result<ConnectionKey> open_connection_key(const SecretRow& row, const std::string& region, const WrappingKey& above);
Status rewrap_connection_key(SecretRow& row, const std::string& region, const WrappingKey& above, const WrappingKey& newest);

// corrupt unless the secret was put for exactly this policy.
Result<SecretText> open_secret_of(const SecretRow& row, const std::string& region, const WrappingKey& above,
                                  std::string_view policy_hash);

}  // namespace mailhold::keys
