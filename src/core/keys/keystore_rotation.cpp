// The keystore's rows about seals, events and rotations.
#include "base/bytes.h"
#include "core/keys/keystore.h"
#include "core/keys/keystore_rows.h"

namespace mailhold::keys {
namespace {

using records::Rows;
using records::Session;
using records::Value;
using records::Values;

Result<std::vector<KeyRow>> keys_of(Result<Rows> rows) {
  if (!rows) return rows.error();
  std::vector<KeyRow> all;
  for (const Values& columns : *rows) all.push_back(key_row_of(columns));
  return all;
}

Result<std::uint64_t> number_of(Result<Rows> rows) {
  if (!rows) return rows.error();
  return static_cast<std::uint64_t>(rows->at(0).at(0).number());
}

Result<std::map<std::string, std::string>> parse_fields(std::string_view bytes) {
  ByteReader reader(bytes);
  std::map<std::string, std::string> fields;
  while (reader.ok() && !reader.rest().empty()) {
    std::string name(reader.text());
    fields[std::move(name)] = std::string(reader.text());
  }
  RETURN_IF_ERROR(reader.finish());
  return fields;
}

// Copies of this file and of the ledger live for 35 days, so the ledger may name an event that is as old.
constexpr Milliseconds carried_life = 36LL * 24 * 60 * 60 * 1000;

Status insert_carried(Session& session, Id event, Milliseconds now) {
  RETURN_IF_ERROR(session.execute("DELETE FROM carried_event WHERE carried_at<$1", {Value(now - carried_life)}, soon()));
  RETURN_IF_ERROR(
      session.execute("INSERT INTO carried_event (id, carried_at) VALUES ($1,$2)", {id_of(event), Value(now)}, soon()));
  return done();
}

Values rotation_of(const RotationProgress& progress) { return {id_of(progress.tenant), progress.day}; }

Status insert_rotation(Session& session, const Keystore::RotationRow& rotation, const std::vector<KeyRow>& made,
                       const std::vector<KeyRow>& rewrapped, const KeyEvent& event) {
  Values values = rotation_of(rotation.progress);
  values.insert(values.end(), {Value(rotation.progress.started_at), Value(rotation.progress.total)});
  RETURN_IF_ERROR(session.execute(
      "INSERT INTO rotation (tenant, day, started_at, done, total, cursor) VALUES ($1,$2,$3,0,$4,x'')", values, soon()));
  RETURN_IF_ERROR(insert_keys(session, made));
  RETURN_IF_ERROR(replace_keys(session, rewrapped));
  return insert_event(session, event);
}

Error no_rotation() { return Error{ErrorKind::not_found, "no such rotation is under way"}; }

}  // namespace

Result<std::vector<SealRow>> Keystore::seals() {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_->query("SELECT id, kind, created_at, drilled_at, parameters, sealed, root_version, public_key, "
                                   "sealed_private, vouched FROM root_seal ORDER BY rowid",
                                   {}, soon()));
  std::vector<SealRow> seals;
  for (const Values& row : rows) {
    seals.push_back({Id::from_bytes(row[0].bytes()), static_cast<SealKind>(row[1].number()), row[2].number(), row[3].number(),
                     row[4].bytes(), row[5].bytes(), static_cast<std::uint32_t>(row[6].number()), row[7].bytes(), row[8].bytes(),
                     row[9].bytes()});
  }
  return seals;
}

Result<Keystore::Knowledge> Keystore::knows_event(Id event) {
  ASSIGN_OR_RETURN(const std::uint64_t known,
                   number_of(records_->query("SELECT (SELECT count(*) FROM carried_event WHERE id=$1) + "
                                             "(SELECT count(*) FROM key_event WHERE id=$1)",
                                             {id_of(event)}, soon())));
  if (known > 0) return Knowledge::known;
  ASSIGN_OR_RETURN(const std::uint64_t carried, number_of(records_->query("SELECT count(*) FROM carried_event", {}, soon())));
  return carried > 0 ? Knowledge::unknown : Knowledge::of_before;
}

Status Keystore::adopt_event(Id event, Milliseconds now, const std::optional<KeyEvent>& why) {
  return records_->transaction(
      [&](Session& session) -> Status {
        if (why) RETURN_IF_ERROR(insert_event(session, *why));
        return insert_carried(session, event, now);
      },
      soon());
}

Status Keystore::add_seal(const SealRow& seal, const KeyEvent& event) {
  return records_->transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(insert_seal(session, seal));
        return insert_event(session, event);
      },
      soon());
}

Status Keystore::remove_seal(Id seal, const KeyEvent& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const std::uint64_t removed,
                         session.execute("DELETE FROM root_seal WHERE id=$1", {id_of(seal)}, soon()));
        if (removed == 0) return Error{ErrorKind::not_found, "no such seal"};
        return insert_event(session, event);
      },
      soon()));
  return records_->forget_deleted(soon());
}

Status Keystore::replace_seal(const SealRow& seal, const KeyEvent& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(update_seal(session, seal));
        return insert_event(session, event);
      },
      soon()));
  return records_->forget_deleted(soon());
}

Result<std::vector<ShredRow>> Keystore::settled_shreds(std::uint32_t root_version, Milliseconds before, std::uint32_t limit) {
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT tenant, scope, root_version, count, newest FROM shred WHERE "
                                                    "root_version<$1 AND newest<$2 ORDER BY newest LIMIT $3",
                                                    {root_version, Value(before), limit}, soon()));
  std::vector<ShredRow> shreds;
  for (const Values& row : rows) {
    shreds.push_back({Id::from_bytes(row[0].bytes()), row[1].text(), static_cast<std::uint32_t>(row[2].number()),
                      static_cast<std::uint64_t>(row[3].number()), row[4].number()});
  }
  return shreds;
}

Status Keystore::settle_shred(const ShredRow& row, const KeyEvent& event) {
  return records_->transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(session.execute("DELETE FROM shred WHERE tenant=$1 AND scope=$2 AND root_version=$3",
                                        {id_of(row.tenant), Value(row.scope), row.root_version}, soon()));
        return insert_event(session, event);
      },
      soon());
}

Status Keystore::set_drilled(Id seal, Milliseconds time, const KeyEvent& event) {
  return records_->transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(session.execute("UPDATE root_seal SET drilled_at=$2 WHERE id=$1", {id_of(seal), Value(time)}, soon()));
        return insert_event(session, event);
      },
      soon());
}

Status Keystore::add_event(const KeyEvent& event) {
  ASSIGN_OR_RETURN(const std::uint64_t count, number_of(records_->query("SELECT count(*) FROM key_event", {}, soon())));
  if (count >= events_max) return Error{ErrorKind::limit_exceeded, "too many events wait for the ledger"};
  return records_->transaction([&](Session& session) { return insert_event(session, event); }, soon());
}

Result<std::vector<KeyEvent>> Keystore::events(std::uint32_t limit) {
  ASSIGN_OR_RETURN(
      const Rows rows,
      records_->query("SELECT id, time, tenant, name, fields FROM key_event ORDER BY rowid LIMIT $1", {limit}, soon()));
  std::vector<KeyEvent> events;
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN(auto fields, parse_fields(row[4].bytes()));
    events.push_back(
        {Id::from_bytes(row[0].bytes()), row[1].number(), Id::from_bytes(row[2].bytes()), row[3].text(), std::move(fields)});
  }
  return events;
}

Status Keystore::forget_event(Id event, Milliseconds now) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        ASSIGN_OR_RETURN(const std::uint64_t forgotten,
                         session.execute("DELETE FROM key_event WHERE id=$1", {id_of(event)}, soon()));
        return forgotten == 0 ? done() : insert_carried(session, event, now);
      },
      soon()));
  return done();
}

Result<std::vector<Keystore::RotationRow>> Keystore::rotations() {
  ASSIGN_OR_RETURN(
      const Rows rows,
      records_->query("SELECT tenant, day, done, total, started_at, cursor FROM rotation ORDER BY started_at, tenant, day", {},
                      soon()));
  std::vector<RotationRow> rotations;
  for (const Values& row : rows) {
    rotations.push_back(
        {{Id::from_bytes(row[0].bytes()), static_cast<std::uint32_t>(row[1].number()),
          static_cast<std::uint64_t>(row[2].number()), static_cast<std::uint64_t>(row[3].number()), row[4].number()},
         row[5].bytes()});
  }
  return rotations;
}

Status Keystore::begin_rotation(const RotationRow& rotation, const std::vector<KeyRow>& made,
                                const std::vector<KeyRow>& rewrapped, const KeyEvent& event) {
  return records_->transaction([&](Session& session) { return insert_rotation(session, rotation, made, rewrapped, event); },
                               soon());
}

Status Keystore::begin_root_rotation(const RotationRow& rotation, const std::vector<KeyRow>& made,
                                     const std::vector<KeyRow>& rewrapped, const std::vector<SealRow>& seals,
                                     const KeyEvent& event) {
  return records_->transaction(
      [&](Session& session) -> Status {
        for (const SealRow& seal : seals) RETURN_IF_ERROR(update_seal(session, seal));
        return insert_rotation(session, rotation, made, rewrapped, event);
      },
      soon());
}

Status Keystore::forget_replaced() { return records_->forget_deleted(soon()); }

Status Keystore::advance_rotation(const RotationRow& rotation, const std::vector<KeyRow>& keys,
                                  const std::vector<SecretRow>& secrets) {
  return records_->transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(replace_keys(session, keys));
        for (const SecretRow& row : secrets) {
          RETURN_IF_ERROR(
              session.execute("UPDATE connection_secret SET key_version=$4, sealed_key=$5 WHERE tenant=$1 AND connection=$2 "
                              "AND connection_key_version=$3 AND length(sealed_key)>0",
                              {id_of(row.tenant), id_of(row.connection), row.connection_key_version, row.key_version,
                               Value::bytes_of(row.sealed_key)},
                              soon()));
        }
        Values values = rotation_of(rotation.progress);
        values.insert(values.end(), {Value(rotation.progress.done), Value::bytes_of(rotation.cursor)});
        ASSIGN_OR_RETURN(const std::uint64_t changed,
                         session.execute("UPDATE rotation SET done=$3, cursor=$4 WHERE tenant=$1 AND day=$2", values, soon()));
        if (changed == 0) return no_rotation();
        return done();
      },
      soon());
}

Status Keystore::end_rotation(const RotationRow& rotation, const std::vector<KeyPlace>& newest, const KeyEvent& event) {
  RETURN_IF_ERROR(records_->transaction(
      [&](Session& session) -> Status {
        for (const KeyPlace& place : newest) {
          Values values = place_of(place);
          values.push_back(Value::bytes_of(""));
          RETURN_IF_ERROR(session.execute(
              "UPDATE wrapped_key SET sealed=$5 WHERE tenant=$1 AND slot=$2 AND epoch=$3 AND version<$4", values, soon()));
        }
        ASSIGN_OR_RETURN(const std::uint64_t ended, session.execute("DELETE FROM rotation WHERE tenant=$1 AND day=$2",
                                                                    rotation_of(rotation.progress), soon()));
        if (ended == 0) return no_rotation();
        return insert_event(session, event);
      },
      soon()));
  return records_->forget_deleted(soon());
}

// A second bound of `epoch` would be what SQLite enters the key by, and each step would read all that the steps before have read.
Result<std::vector<KeyRow>> Keystore::stale_days(const KeyPlace& after, std::uint32_t newest_key_version, std::uint32_t limit) {
  Values values = place_of(after);
  values.insert(values.end(), {newest_key_version, limit});
  ASSIGN_OR_RETURN(const Rows rows, records_->query("SELECT epoch, version, id, created_at, key_version, sealed FROM wrapped_key "
                                                    "WHERE tenant=$1 AND slot=$2 AND (epoch, version)>($3, $4) "
                                                    "AND key_version<$5 AND length(sealed)>0 ORDER BY epoch, version LIMIT $6",
                                                    values, soon()));
  std::vector<KeyRow> days;
  days.reserve(rows.size());
  for (const Values& row : rows) {
    const KeyPlace place{after.tenant, after.slot, static_cast<std::uint32_t>(row[0].number()),
                         static_cast<std::uint32_t>(row[1].number())};
    days.push_back(
        {place, Id::from_bytes(row[2].bytes()), row[3].number(), static_cast<std::uint32_t>(row[4].number()), row[5].bytes()});
  }
  return days;
}

Result<std::vector<KeyRow>> Keystore::stale_tenants(Id after, std::uint32_t newest_key_version, std::uint32_t limit) {
  return keys_of(records_->query(std::string("SELECT ") + key_columns +
                                     " FROM wrapped_key WHERE epoch=0 AND slot=0 AND tenant>$1 AND key_version<$2 "
                                     "AND length(sealed)>0 ORDER BY tenant, version LIMIT $3",
                                 {id_of(after), newest_key_version, limit}, soon()));
}

Result<std::vector<SecretRow>> Keystore::stale_secrets(Id tenant, Id after, std::uint32_t newest_key_version,
                                                       std::uint32_t limit) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_->query(std::string("SELECT ") + secret_columns +
                                       " FROM connection_secret WHERE tenant=$1 AND connection>$2 AND key_version<$3 "
                                       "AND length(sealed_key)>0 ORDER BY connection LIMIT $4",
                                   {id_of(tenant), id_of(after), newest_key_version, limit}, soon()));
  std::vector<SecretRow> secrets;
  for (const Values& columns : rows) secrets.push_back(secret_row_of(columns));
  return secrets;
}

Result<std::uint64_t> Keystore::count_days(Id tenant, Slot slot) {
  return number_of(
      records_->query("SELECT count(*) FROM wrapped_key WHERE tenant=$1 AND slot=$2 AND epoch>0 AND length(sealed)>0",
                      {id_of(tenant), static_cast<int>(slot)}, soon()));
}

Result<std::uint64_t> Keystore::count_secrets(Id tenant) {
  return number_of(records_->query("SELECT count(*) FROM connection_secret WHERE tenant=$1 AND length(sealed_key)>0",
                                   {id_of(tenant)}, soon()));
}

Result<std::uint64_t> Keystore::count_unrotatable_secrets(Id tenant) {
  return number_of(
      records_->query("SELECT count(*) FROM connection_secret WHERE tenant=$1 AND connection_key_version=0 "
                      "AND length(sealed)>0",
                      {id_of(tenant)}, soon()));
}

}  // namespace mailhold::keys
