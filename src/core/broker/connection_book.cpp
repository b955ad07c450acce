#include "core/broker/connection_book.h"

#include "base/log.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/mac.h"

namespace mailhold::broker {
namespace {

using records::Value;

const records::Schema schema{
    "connections",
    {"CREATE TABLE connection (id bytea PRIMARY KEY, tenant bytea NOT NULL, version bigint NOT NULL, sealed bytea NOT NULL)"}};

sealed::Context context_of(const std::string& region, Id tenant, std::string_view object, std::uint64_t version,
                           std::uint32_t key_version, std::string_view what) {
  return {.region = region,
          .tenant = tenant,
          .kind = sealed::Kind::configuration,
          .object_id = std::string(object),
          .version = version,
          .key_id = tenant,
          .key_version = key_version,
          .extra = std::string(what)};
}

}  // namespace

Result<std::unique_ptr<ConnectionBook>> ConnectionBook::open(records::Records& records, ConfigurationKey key, std::string region,
                                                             const Clock& clock, const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<ConnectionBook>(new ConnectionBook(records, std::move(key), std::move(region), clock));
}

Status ConnectionBook::read(const Deadline& deadline) {
  std::map<Id, access::Connection> connections;
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT id, tenant, version, sealed FROM connection", {}, deadline));
  for (const auto& row : rows) {
    const Id id = Id::from_bytes(row[0].bytes());
    const Id tenant = Id::from_bytes(row[1].bytes());
    const auto key = key_(tenant, deadline);
    if (!key && key.error().kind == ErrorKind::unavailable) return key.error();
    const auto bytes = key ? sealed::open(key->key.reveal(),
                                          context_of(region_, tenant, id.bytes(), static_cast<std::uint64_t>(row[2].number()),
                                                     key->version, "connection"),
                                          row[3].bytes())
                           : Result<std::string>(key.error());
    const auto connection = bytes ? access::parse_connection(*bytes) : Result<access::Connection>(bytes.error());
    // One tenant's damaged or shredded row must not stop the others.
    if (!connection || connection->id != id || connection->tenant != tenant) {
      log_error("broker", "connection " + id.text() + " does not open");
      continue;
    }
    connections.emplace(id, *connection);
  }
  connections_ = std::move(connections);
  return done();
}

Result<std::vector<access::Connection>> ConnectionBook::list(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (!connections_) RETURN_IF_ERROR(read(deadline));
  std::vector<access::Connection> list;
  list.reserve(connections_->size());
  for (const auto& [id, connection] : *connections_) list.push_back(connection);
  return list;
}

Result<access::Connection> ConnectionBook::find(Id connection, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (!connections_) RETURN_IF_ERROR(read(deadline));
  const auto found = connections_->find(connection);
  if (found == connections_->end()) return Error{ErrorKind::not_found, "no such connection"};
  return found->second;
}

Status ConnectionBook::set(const access::Connection& connection, const Deadline& deadline) {
  RETURN_IF_ERROR(access::check_connection(connection));
  const std::lock_guard lock(mutex_);
  if (!connections_) RETURN_IF_ERROR(read(deadline));
  const auto before = connections_->find(connection.id);
  if (before != connections_->end() && before->second.tenant != connection.tenant)
    return Error{ErrorKind::not_found, "no such connection of this tenant"};
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(connection.tenant, deadline));
  const auto version = static_cast<std::uint64_t>(clock_.now());
  const std::string row = sealed::seal(
      key.key.reveal(), context_of(region_, connection.tenant, connection.id.bytes(), version, key.version, "connection"),
      access::write_connection(connection));
  RETURN_IF_ERROR(records_.execute(
      "INSERT INTO connection (id, tenant, version, sealed) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
      {Value::bytes_of(connection.id.bytes()), Value::bytes_of(connection.tenant.bytes()), Value(version), Value::bytes_of(row)},
      deadline));
  (*connections_)[connection.id] = connection;
  return done();
}

Status ConnectionBook::remove(Id tenant, Id connection, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (!connections_) RETURN_IF_ERROR(read(deadline));
  const auto found = connections_->find(connection);
  if (found == connections_->end() || found->second.tenant != tenant)
    return Error{ErrorKind::not_found, "no such connection of this tenant"};
  RETURN_IF_ERROR(records_.execute("DELETE FROM connection WHERE id = $1", {Value::bytes_of(connection.bytes())}, deadline));
  connections_->erase(found);
  return done();
}

Result<std::string> ConnectionBook::seal(Id tenant, std::string_view what, std::string_view bytes, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(tenant, deadline));
  ByteWriter writer;
  return writer.u32(key.version)
      .raw(sealed::seal(key.key.reveal(), context_of(region_, tenant, tenant.bytes(), 0, key.version, what), bytes))
      .take();
}

Result<std::string> ConnectionBook::unseal(Id tenant, std::string_view what, std::string_view sealed, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(tenant, deadline));
  ByteReader reader(sealed);
  const std::uint32_t version = reader.u32();
  return sealed::open(key.key.reveal(), context_of(region_, tenant, tenant.bytes(), 0, version, what), reader.rest());
}

Result<std::string> ConnectionBook::keyed_name(Id tenant, std::string_view what, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(tenant, deadline));
  const SecretText name_key = crypto::hkdf_expand_sha512(key.key.reveal(), "mailhold keyed name v1", 32);
  return crypto::hmac_sha256(name_key.reveal(), what);
}

}  // namespace mailhold::broker
