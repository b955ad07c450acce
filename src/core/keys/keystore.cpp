#include "core/keys/keystore.h"

#include "base/bytes.h"
#include "core/keys/keystore_rows.h"
#include "platform/records/sqlite/sqlite_records.h"

namespace mailhold::keys {
namespace {

using records::Rows;
using records::Session;
using records::Value;
using records::Values;

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

// Format 2: several wraps of the root, versions of wrapping keys, connection keys, rotations, events.
constexpr const char* format_two_tables = R"(
CREATE TABLE root_seal (
  id bytea PRIMARY KEY, kind bigint NOT NULL, created_at bigint NOT NULL, drilled_at bigint NOT NULL,
  parameters bytea NOT NULL, sealed bytea NOT NULL);
CREATE TABLE key_event (
  id bytea PRIMARY KEY, time bigint NOT NULL, tenant bytea NOT NULL, name text NOT NULL, fields bytea NOT NULL);
CREATE TABLE rotation (
  tenant bytea NOT NULL, day bigint NOT NULL, started_at bigint NOT NULL, done bigint NOT NULL, total bigint NOT NULL,
  cursor bytea NOT NULL, PRIMARY KEY (tenant, day));
ALTER TABLE wrapped_key ADD COLUMN key_version bigint NOT NULL DEFAULT 1;
CREATE INDEX wrapped_key_by_slot ON wrapped_key (slot, tenant, version) WHERE epoch = 0;
ALTER TABLE connection_secret ADD COLUMN key_id bytea NOT NULL DEFAULT x'';
ALTER TABLE connection_secret ADD COLUMN connection_key_version bigint NOT NULL DEFAULT 0;
ALTER TABLE connection_secret ADD COLUMN key_version bigint NOT NULL DEFAULT 1;
ALTER TABLE connection_secret ADD COLUMN sealed_key bytea NOT NULL DEFAULT x'';
)";

// Events that are in the ledger: what is known of the history that this file belongs to.
constexpr const char* carried_events_table = R"(
CREATE TABLE carried_event (id bytea PRIMARY KEY, carried_at bigint NOT NULL);
)";

// Format 3: a key pair for each seal, versions of the root, and what was shredded under which of them.
constexpr const char* format_three_tables = R"(
ALTER TABLE root_seal ADD COLUMN root_version bigint NOT NULL DEFAULT 1;
ALTER TABLE root_seal ADD COLUMN public_key bytea NOT NULL DEFAULT x'';
ALTER TABLE root_seal ADD COLUMN sealed_private bytea NOT NULL DEFAULT x'';
ALTER TABLE root_seal ADD COLUMN vouched bytea NOT NULL DEFAULT x'';
CREATE TABLE shred (
  tenant bytea NOT NULL, scope text NOT NULL, root_version bigint NOT NULL, count bigint NOT NULL, newest bigint NOT NULL,
  PRIMARY KEY (tenant, scope, root_version));
)";

constexpr std::int64_t format_one = 1;
constexpr std::int64_t format_three = 3;

// Format 1 had one passphrase, in the first row. It becomes the first wrap, with an id of zeros. Seals of format 2 are brought up
// to date one by one, when they are opened.
Status update_format(records::Records& records) {
  ASSIGN_OR_RETURN(const Rows rows, records.query("SELECT salt, memory_bytes, passes, sealed_root FROM keystore WHERE format=$1",
                                                  {Value(format_one)}, soon()));
  if (rows.empty()) {
    RETURN_IF_ERROR(records.execute("UPDATE keystore SET format=$1 WHERE format<$1", {Value(format_three)}, soon()));
    return done();
  }
  SealRow seal;
  seal.kind = SealKind::passphrase;
  seal.parameters = ByteWriter()
                        .text(rows[0][0].bytes())
                        .u64(static_cast<std::uint64_t>(rows[0][1].number()))
                        .u32(static_cast<std::uint32_t>(rows[0][2].number()))
                        .take();
  seal.sealed = rows[0][3].bytes();
  return records.transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(insert_seal(session, seal));
        RETURN_IF_ERROR(session.execute("UPDATE keystore SET format=$1, salt=$2, sealed_root=$2",
                                        {Value(format_three), Value::bytes_of("")}, soon()));
        return done();
      },
      soon());
}

Result<KeyRow> first(Result<Rows> rows) {
  if (!rows) return rows.error();
  if (rows->empty()) return Error{ErrorKind::not_found, "no such key"};
  return key_row_of(rows->front());
}

std::string select_keys(std::string_view where) {
  return std::string("SELECT ").append(key_columns).append(" FROM wrapped_key WHERE ").append(where);
}

Result<std::vector<KeyRow>> all_of(Result<Rows> rows) {
  if (!rows) return rows.error();
  std::vector<KeyRow> all;
  for (const Values& columns : *rows) all.push_back(key_row_of(columns));
  return all;
}

Values secret_values(const SecretRow& row) {
  return {id_of(row.tenant), id_of(row.connection),      Value(row.version), Value::bytes_of(row.sealed),
          id_of(row.key_id), row.connection_key_version, row.key_version,    Value::bytes_of(row.sealed_key)};
}

Error replaced_meanwhile() { return Error{ErrorKind::already_exists, "the secret was replaced meanwhile"}; }
Error no_secret() { return Error{ErrorKind::not_found, "the connection has no secret"}; }

}  // namespace

Result<Keystore> Keystore::open(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(auto records, records::open_sqlite(file.string(), soon()));
  RETURN_IF_ERROR(records->migrate({"keys", {tables, format_two_tables, carried_events_table, format_three_tables}}, soon()));
  RETURN_IF_ERROR(update_format(*records));
  return Keystore(std::move(records));
}

Result<std::optional<std::string>> Keystore::region() {
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT format, region FROM keystore", {}, soon()));
  if (rows.empty()) return std::optional<std::string>();
  if (rows[0][0].number() != format_three) return Error{ErrorKind::corrupt, "a keystore of unknown format"};
  return std::optional<std::string>(rows[0][1].text());
}

Status Keystore::create(const std::string& region, const std::vector<SealRow>& seals, const std::vector<KeyRow>& rows,
                        const KeyEvent& event) {
  return records_->transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(session.execute(
            "INSERT INTO keystore (one, format, region, salt, memory_bytes, passes, sealed_root) VALUES (1,$1,$2,$3,0,0,$3)",
            {Value(format_three), Value(region), Value::bytes_of("")}, soon()));
        for (const SealRow& seal : seals) RETURN_IF_ERROR(insert_seal(session, seal));
        RETURN_IF_ERROR(insert_event(session, event));
        // Never empty from here on: that is how a file of before this table is known.
        RETURN_IF_ERROR(session.execute("INSERT INTO carried_event (id, carried_at) VALUES ($1,0)", {id_of(Id())}, soon()));
        return insert_keys(session, rows);
      },
      soon());
}

Status Keystore::insert(const std::vector<KeyRow>& rows) {
  return records_->transaction([&](Session& session) { return insert_keys(session, rows); }, soon());
}

Result<KeyRow> Keystore::find(const KeyPlace& place) {
  return first(records_->query(select_keys("tenant=$1 AND slot=$2 AND epoch=$3 AND version=$4"), place_of(place), soon()));
}

Result<KeyRow> Keystore::newest(Id tenant, Slot slot, std::uint32_t epoch) {
  return first(records_->query(select_keys("tenant=$1 AND slot=$2 AND epoch=$3 ORDER BY version DESC LIMIT 1"),
                               {id_of(tenant), static_cast<int>(slot), epoch}, soon()));
}

Result<std::vector<KeyRow>> Keystore::versions(Id tenant, Slot slot, std::uint32_t epoch) {
  return all_of(records_->query(select_keys("tenant=$1 AND slot=$2 AND epoch=$3 AND length(sealed)>0 ORDER BY version"),
                                {id_of(tenant), static_cast<int>(slot), epoch}, soon()));
}

Result<std::vector<KeyRow>> Keystore::purpose_keys(Id tenant) {
  return all_of(
      records_->query(select_keys("tenant=$1 AND slot BETWEEN 1 AND 99 AND epoch=0 AND length(sealed)>0 ORDER BY slot, version"),
                      {id_of(tenant)}, soon()));
}

Result<std::uint32_t> Keystore::count_tenants() {
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT count(DISTINCT tenant) FROM wrapped_key WHERE slot=$1 AND epoch=0",
                                                    {static_cast<int>(Slot::tenant)}, soon()));
  return static_cast<std::uint32_t>(rows.at(0).at(0).number());
}

Status Keystore::create_tenant(Id tenant, const std::vector<KeyRow>& rows) {
  return records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const Rows destroyed,
                         session.query("SELECT 1 FROM destroyed_tenant WHERE tenant=$1", {id_of(tenant)}, soon()));
        if (!destroyed.empty()) return Error{ErrorKind::already_exists, "tenant " + tenant.text() + " was destroyed"};
        return insert_keys(session, rows);
      },
      soon());
}

Status Keystore::destroy_tenant(Id tenant, std::uint32_t root_version, const KeyEvent& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const std::uint64_t keys,
                         session.execute("DELETE FROM wrapped_key WHERE tenant=$1", {id_of(tenant)}, soon()));
        if (keys == 0) return Error{ErrorKind::not_found, "no tenant " + tenant.text()};
        for (const char* rest : {"DELETE FROM connection_secret WHERE tenant=$1", "DELETE FROM rotation WHERE tenant=$1"})
          RETURN_IF_ERROR(session.execute(rest, {id_of(tenant)}, soon()));
        RETURN_IF_ERROR(insert_event(session, event));
        RETURN_IF_ERROR(insert_shred(session, {tenant, "tenant", root_version, 1, event.time}));
        RETURN_IF_ERROR(session.execute("INSERT INTO destroyed_tenant (tenant, destroyed_at) VALUES ($1,$2)",
                                        {id_of(tenant), Value(event.time)}, soon()));
        return done();
      },
      soon()));
  return records_->forget_deleted(soon());
}

Status Keystore::destroy_key(const KeyPlace& place, std::uint32_t root_version, const KeyEvent& event) {
  Values values = place_of(place);
  values.push_back(Value::bytes_of(""));
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(
            const std::uint64_t changed,
            session.execute("UPDATE wrapped_key SET sealed=$5 WHERE tenant=$1 AND slot=$2 AND epoch=$3 AND version=$4 "
                            "AND length(sealed)>0",
                            values, soon()));
        if (changed == 0) return Error{ErrorKind::not_found, "no such key"};
        RETURN_IF_ERROR(insert_shred(session, {place.tenant, "day", root_version, 1, event.time}));
        return insert_event(session, event);
      },
      soon()));
  return records_->forget_deleted(soon());
}

Status Keystore::put_secret(const SecretRow& row, const KeyEvent& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        const Values values = secret_values(row);
        auto written =
            row.version == 1
                ? session.execute(
                      "INSERT INTO connection_secret (tenant, connection, version, sealed, key_id, connection_key_version, "
                      "key_version, sealed_key) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
                      values, soon())
                : session.execute(
                      "UPDATE connection_secret SET version=$3, sealed=$4, key_id=$5, connection_key_version=$6, key_version=$7, "
                      "sealed_key=$8 WHERE tenant=$1 AND connection=$2 AND version=$3-1",
                      values, soon());
        if (!written) return written.error();
        if (*written != 1) return replaced_meanwhile();
        return insert_event(session, event);
      },
      soon()));
  return records_->forget_deleted(soon());
}

Status Keystore::reseal_secret(const SecretRow& row, const std::optional<KeyEvent>& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const std::uint64_t written,
                         session.execute("UPDATE connection_secret SET sealed=$4, key_id=$5, connection_key_version=$6, "
                                         "key_version=$7, sealed_key=$8 WHERE tenant=$1 AND connection=$2 AND version=$3 "
                                         "AND connection_key_version=$6-1 AND length(sealed)>0",
                                         secret_values(row), soon()));
        if (written != 1) return replaced_meanwhile();
        if (event) RETURN_IF_ERROR(insert_event(session, *event));
        return done();
      },
      soon()));
  return records_->forget_deleted(soon());
}

Result<SecretRow> Keystore::secret(Id tenant, Id connection) {
  ASSIGN_OR_RETURN(const Rows rows, records_->query(std::string("SELECT ") + secret_columns +
                                                        " FROM connection_secret WHERE tenant=$1 AND connection=$2",
                                                    {id_of(tenant), id_of(connection)}, soon()));
  if (rows.empty() || rows[0][3].bytes().empty()) return no_secret();
  return secret_row_of(rows[0]);
}

Result<std::uint64_t> Keystore::secret_version(Id tenant, Id connection) {
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT version FROM connection_secret WHERE tenant=$1 AND connection=$2",
                                                    {id_of(tenant), id_of(connection)}, soon()));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Status Keystore::destroy_secret(Id tenant, Id connection, const KeyEvent& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(
            const std::uint64_t changed,
            session.execute("UPDATE connection_secret SET sealed=$3, sealed_key=$3 WHERE tenant=$1 AND connection=$2",
                            {id_of(tenant), id_of(connection), Value::bytes_of("")}, soon()));
        return changed == 0 ? Status(no_secret()) : insert_event(session, event);
      },
      soon()));
  return records_->forget_deleted(soon());
}

}  // namespace mailhold::keys
