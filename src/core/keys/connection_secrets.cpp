#include "core/keys/connection_secrets.h"

#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

sealed::Context key_context(const SecretRow& row, const std::string& region, const WrappingKey& above) {
  return {.region = region,
          .tenant = row.tenant,
          .kind = sealed::Kind::connection_key,
          .object_id = std::string(row.connection.bytes()).append(row.key_id.bytes()),
          .version = row.connection_key_version,
          .key_id = above.id,
          .key_version = above.version};
}

sealed::Context secret_context(const SecretRow& row, const std::string& region, const WrappingKey& key,
                               std::string_view policy_hash) {
  return {.region = region,
          .tenant = row.tenant,
          .kind = sealed::Kind::connection_secret,
          .object_id = std::string(row.connection.bytes()),
          .version = row.version,
          .key_id = key.id,
          .key_version = key.version,
          .extra = std::string(policy_hash)};
}

WrappingKey own_key(const SecretRow& row, const ConnectionKey& key) {
  return {row.key_id, row.connection_key_version, key.key.reveal()};
}

void wrap_key(SecretRow& row, const std::string& region, const WrappingKey& above, const ConnectionKey& key) {
  row.key_version = above.version;
  SecretText content = SecretText::zeroed(key.key.size() + key.policy_hash.size());
  key.key.reveal().copy(content.data(), key.key.size());
  key.policy_hash.copy(content.data() + key.key.size(), key.policy_hash.size());
  row.sealed_key = sealed::seal(above.key, key_context(row, region, above), content.reveal());
}

}  // namespace

void seal_secret(SecretRow& row, const std::string& region, const WrappingKey& above, std::string_view policy_hash,
                 std::string_view secret) {
  const ConnectionKey key{SecretText::random(sealed::key_size), std::string(policy_hash)};
  row.key_id = Id::random();
  ++row.connection_key_version;
  wrap_key(row, region, above, key);
  row.sealed = sealed::seal(key.key.reveal(), secret_context(row, region, own_key(row, key), policy_hash), secret);
}

Result<ConnectionKey> open_connection_key(const SecretRow& row, const std::string& region, const WrappingKey& above) {
  ASSIGN_OR_RETURN(const SecretText content, sealed::open_secret(above.key, key_context(row, region, above), row.sealed_key));
  if (content.size() <= sealed::key_size) return Error{ErrorKind::corrupt, "a connection key of wrong size"};
  return ConnectionKey{SecretText::copy_of(content.reveal().substr(0, sealed::key_size)),
                       std::string(content.reveal().substr(sealed::key_size))};
}

Status rewrap_connection_key(SecretRow& row, const std::string& region, const WrappingKey& above, const WrappingKey& newest) {
  ASSIGN_OR_RETURN(const ConnectionKey key, open_connection_key(row, region, above));
  wrap_key(row, region, newest, key);
  return done();
}

Result<SecretText> open_secret_of(const SecretRow& row, const std::string& region, const WrappingKey& above,
                                  std::string_view policy_hash) {
  if (row.connection_key_version == 0)
    return sealed::open_secret(above.key, secret_context(row, region, above, policy_hash), row.sealed);
  ASSIGN_OR_RETURN(const ConnectionKey key, open_connection_key(row, region, above));
  return sealed::open_secret(key.key.reveal(), secret_context(row, region, own_key(row, key), policy_hash), row.sealed);
}

}  // namespace mailhold::keys
