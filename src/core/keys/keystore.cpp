#include "core/keys/keystore.h"

#include <chrono>

namespace mailhold::keys {
namespace {

using records::Rows;
using records::Session;
using records::Value;
using records::Values;

Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

constexpr const char* tables = R"(
CREATE TABLE keystore (
  one bigint PRIMARY KEY CHECK (one = 1),
  format bigint NOT NULL, region text NOT NULL, salt bytea NOT NULL,
  memory_bytes bigint NOT NULL, passes bigint NOT NULL, sealed_root bytea NOT NULL);
CREATE TABLE wrapped_key (
  tenant bytea NOT NULL, slot bigint NOT NULL, epoch bigint NOT NULL, version bigint NOT NULL,
  id bytea NOT NULL, created_at bigint NOT NULL, sealed bytea NOT NULL,
  PRIMARY KEY (tenant, slot, epoch, version));
CREATE TABLE connection_secret (
  tenant bytea NOT NULL, connection bytea NOT NULL, version bigint NOT NULL, sealed bytea NOT NULL,
  PRIMARY KEY (tenant, connection));
CREATE TABLE destroyed_tenant (
  tenant bytea PRIMARY KEY, destroyed_at bigint NOT NULL);
)";

constexpr std::int64_t format_one = 1;

Value id_of(const Id& id) { return Value::bytes_of(id.bytes()); }
Values place_of(const KeyPlace& place) { return {id_of(place.tenant), static_cast<int>(place.slot), place.epoch, place.version}; }

Status insert_into(Session& session, const std::vector<KeyRow>& rows) {
  for (const KeyRow& row : rows) {
    Values values = place_of(row.place);
    values.insert(values.end(), {id_of(row.id), Value(row.created_at), Value::bytes_of(row.sealed)});
    auto written = session.execute(
        "INSERT INTO wrapped_key (tenant, slot, epoch, version, id, created_at, sealed) VALUES ($1,$2,$3,$4,$5,$6,$7)", values,
        soon());
    if (!written) return written.error();
  }
  return done();
}

KeyRow row_of(const Values& columns) {
  KeyRow row;
  row.place = {Id::from_bytes(columns[0].bytes()), static_cast<Slot>(columns[1].number()),
               static_cast<std::uint32_t>(columns[2].number()), static_cast<std::uint32_t>(columns[3].number())};
  row.id = Id::from_bytes(columns[4].bytes());
  row.created_at = columns[5].number();
  row.sealed = columns[6].bytes();
  return row;
}

Result<KeyRow> first(Result<Rows> rows) {
  if (!rows) return rows.error();
  if (rows->empty()) return Error{ErrorKind::not_found, "no such key"};
  return row_of(rows->front());
}

Error no_secret() { return Error{ErrorKind::not_found, "the connection has no secret"}; }

}  // namespace

Result<Keystore> Keystore::open(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(auto records, records::open("sqlite:" + file.string(), soon()));
  RETURN_IF_ERROR(records->migrate({"keys", {tables}}, soon()));
  return Keystore(std::move(records));
}

Result<std::optional<KeystoreHeader>> Keystore::header() {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_->query("SELECT format, region, salt, memory_bytes, passes, sealed_root FROM keystore", {}, soon()));
  if (rows.empty()) return std::optional<KeystoreHeader>();
  const Values& row = rows.front();
  if (row[0].number() != format_one) return Error{ErrorKind::corrupt, "a keystore of unknown format"};
  KeystoreHeader header;
  header.region = row[1].text();
  header.salt = row[2].bytes();
  header.cost.memory_bytes = static_cast<std::uint64_t>(row[3].number());
  header.cost.passes = static_cast<std::uint32_t>(row[4].number());
  header.sealed_root = row[5].bytes();
  return std::optional<KeystoreHeader>(std::move(header));
}

Status Keystore::create(const KeystoreHeader& header, const std::vector<KeyRow>& rows) {
  return records_->transaction(
      [&](Session& session) -> Status {
        auto written = session.execute(
            "INSERT INTO keystore (one, format, region, salt, memory_bytes, passes, sealed_root) VALUES (1,$1,$2,$3,$4,$5,$6)",
            {Value(format_one), Value(header.region), Value::bytes_of(header.salt), Value(header.cost.memory_bytes),
             Value(header.cost.passes), Value::bytes_of(header.sealed_root)},
            soon());
        if (!written) return written.error();
        return insert_into(session, rows);
      },
      soon());
}

Status Keystore::insert(const std::vector<KeyRow>& rows) {
  return records_->transaction([&](Session& session) { return insert_into(session, rows); }, soon());
}

Result<KeyRow> Keystore::find(const KeyPlace& place) {
  return first(
      records_->query("SELECT tenant, slot, epoch, version, id, created_at, sealed FROM wrapped_key WHERE tenant=$1 AND slot=$2 "
                      "AND epoch=$3 AND version=$4",
                      place_of(place), soon()));
}

Result<KeyRow> Keystore::newest(Id tenant, Slot slot, std::uint32_t epoch) {
  return first(records_->query(
      "SELECT tenant, slot, epoch, version, id, created_at, sealed FROM wrapped_key WHERE tenant=$1 AND slot=$2 AND epoch=$3 "
      "ORDER BY version DESC LIMIT 1",
      {id_of(tenant), static_cast<int>(slot), epoch}, soon()));
}

Result<std::uint32_t> Keystore::count_tenants() {
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT count(*) FROM wrapped_key WHERE slot=$1 AND version=1 AND epoch=0",
                                                    {static_cast<int>(Slot::tenant)}, soon()));
  return static_cast<std::uint32_t>(rows.at(0).at(0).number());
}

Status Keystore::create_tenant(Id tenant, const std::vector<KeyRow>& rows) {
  return records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const Rows destroyed,
                         session.query("SELECT 1 FROM destroyed_tenant WHERE tenant=$1", {id_of(tenant)}, soon()));
        if (!destroyed.empty()) return Error{ErrorKind::already_exists, "tenant " + tenant.text() + " was destroyed"};
        return insert_into(session, rows);
      },
      soon());
}

Status Keystore::destroy_tenant(Id tenant, Milliseconds now) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const std::uint64_t keys,
                         session.execute("DELETE FROM wrapped_key WHERE tenant=$1", {id_of(tenant)}, soon()));
        if (keys == 0) return Error{ErrorKind::not_found, "no tenant " + tenant.text()};
        RETURN_IF_ERROR(session.execute("DELETE FROM connection_secret WHERE tenant=$1", {id_of(tenant)}, soon()));
        RETURN_IF_ERROR(session.execute("INSERT INTO destroyed_tenant (tenant, destroyed_at) VALUES ($1,$2)",
                                        {id_of(tenant), Value(now)}, soon()));
        return done();
      },
      soon()));
  return records_->forget_deleted(soon());
}

Status Keystore::destroy_key(const KeyPlace& place) {
  Values values = place_of(place);
  values.push_back(Value::bytes_of(""));
  ASSIGN_OR_RETURN(const std::uint64_t changed,
                   records_->execute("UPDATE wrapped_key SET sealed=$5 WHERE tenant=$1 AND slot=$2 AND epoch=$3 AND version=$4",
                                     values, soon()));
  if (changed == 0) return Error{ErrorKind::not_found, "no such key"};
  return records_->forget_deleted(soon());
}

Status Keystore::put_secret(const SecretRow& row) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        const Values values = {id_of(row.tenant), id_of(row.connection), Value(row.version), Value::bytes_of(row.sealed)};
        auto written =
            row.version == 1
                ? session.execute("INSERT INTO connection_secret (tenant, connection, version, sealed) VALUES ($1,$2,$3,$4)",
                                  values, soon())
                : session.execute(
                      "UPDATE connection_secret SET version=$3, sealed=$4 WHERE tenant=$1 AND connection=$2 "
                      "AND version=$3-1",
                      values, soon());
        if (!written) return written.error();
        if (*written != 1) return Error{ErrorKind::already_exists, "the secret was replaced meanwhile"};
        return done();
      },
      soon()));
  return records_->forget_deleted(soon());
}

Result<SecretRow> Keystore::secret(Id tenant, Id connection) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_->query("SELECT version, sealed FROM connection_secret WHERE tenant=$1 AND connection=$2",
                                   {id_of(tenant), id_of(connection)}, soon()));
  if (rows.empty() || rows[0][1].bytes().empty()) return no_secret();
  return SecretRow{tenant, connection, static_cast<std::uint64_t>(rows[0][0].number()), rows[0][1].bytes()};
}

Result<std::uint64_t> Keystore::secret_version(Id tenant, Id connection) {
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT version FROM connection_secret WHERE tenant=$1 AND connection=$2",
                                                    {id_of(tenant), id_of(connection)}, soon()));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Status Keystore::destroy_secret(Id tenant, Id connection) {
  ASSIGN_OR_RETURN(const std::uint64_t changed,
                   records_->execute("UPDATE connection_secret SET sealed=$3 WHERE tenant=$1 AND connection=$2",
                                     {id_of(tenant), id_of(connection), Value::bytes_of("")}, soon()));
  if (changed == 0) return no_secret();
  return records_->forget_deleted(soon());
}

}  // namespace mailhold::keys
