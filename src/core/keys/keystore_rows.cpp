#include "core/keys/keystore_rows.h"

#include "base/bytes.h"

namespace mailhold::keys {
namespace {

using records::Session;
using records::Value;
using records::Values;

std::string encode_fields(const std::map<std::string, std::string>& fields) {
  ByteWriter writer;
  for (const auto& [name, value] : fields) writer.text(name).text(value);
  return writer.take();
}

}  // namespace

KeyRow key_row_of(const Values& columns) {
  KeyRow row;
  row.place = {Id::from_bytes(columns[0].bytes()), static_cast<Slot>(columns[1].number()),
               static_cast<std::uint32_t>(columns[2].number()), static_cast<std::uint32_t>(columns[3].number())};
  row.id = Id::from_bytes(columns[4].bytes());
  row.created_at = columns[5].number();
  row.key_version = static_cast<std::uint32_t>(columns[6].number());
  row.sealed = columns[7].bytes();
  return row;
}

SecretRow secret_row_of(const Values& columns) {
  SecretRow row{Id::from_bytes(columns[0].bytes()), Id::from_bytes(columns[1].bytes()),
                static_cast<std::uint64_t>(columns[2].number()), columns[3].bytes()};
  row.key_id = Id::from_bytes(columns[4].bytes());
  row.connection_key_version = static_cast<std::uint32_t>(columns[5].number());
  row.key_version = static_cast<std::uint32_t>(columns[6].number());
  row.sealed_key = columns[7].bytes();
  return row;
}

Status insert_keys(Session& session, const std::vector<KeyRow>& rows) {
  std::vector<Values> all;
  for (const KeyRow& row : rows) {
    Values values = place_of(row.place);
    values.insert(values.end(), {id_of(row.id), Value(row.created_at), row.key_version, Value::bytes_of(row.sealed)});
    all.push_back(std::move(values));
  }
  RETURN_IF_ERROR(
      session.execute_batch("INSERT INTO wrapped_key (tenant, slot, epoch, version, id, created_at, key_version, sealed) VALUES "
                            "($1,$2,$3,$4,$5,$6,$7,$8)",
                            all, soon()));
  return done();
}

Status insert_seal(Session& session, const SealRow& seal) {
  RETURN_IF_ERROR(session.execute(
      "INSERT INTO root_seal (id, kind, created_at, drilled_at, parameters, sealed, root_version, public_key, sealed_private, "
      "vouched) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
      {id_of(seal.id), static_cast<int>(seal.kind), Value(seal.created_at), Value(seal.drilled_at),
       Value::bytes_of(seal.parameters), Value::bytes_of(seal.sealed), seal.root_version, Value::bytes_of(seal.public_key),
       Value::bytes_of(seal.sealed_private), Value::bytes_of(seal.vouched)},
      soon()));
  return done();
}

Status update_seal(Session& session, const SealRow& seal) {
  ASSIGN_OR_RETURN(
      const std::uint64_t changed,
      session.execute("UPDATE root_seal SET sealed=$2, root_version=$3, public_key=$4, sealed_private=$5, vouched=$6 WHERE id=$1",
                      {id_of(seal.id), Value::bytes_of(seal.sealed), seal.root_version, Value::bytes_of(seal.public_key),
                       Value::bytes_of(seal.sealed_private), Value::bytes_of(seal.vouched)},
                      soon()));
  if (changed == 0) return Error{ErrorKind::not_found, "no such seal"};
  return done();
}

Status insert_shred(Session& session, const ShredRow& shred) {
  RETURN_IF_ERROR(session.execute(
      "INSERT INTO shred (tenant, scope, root_version, count, newest) VALUES ($1,$2,$3,$4,$5) "
      "ON CONFLICT (tenant, scope, root_version) DO UPDATE SET count=shred.count+1, newest=excluded.newest",
      {id_of(shred.tenant), Value(shred.scope), shred.root_version, Value(shred.count), Value(shred.newest)}, soon()));
  return done();
}

Status insert_event(Session& session, const KeyEvent& event) {
  RETURN_IF_ERROR(session.execute(
      "INSERT INTO key_event (id, time, tenant, name, fields) VALUES ($1,$2,$3,$4,$5)",
      {id_of(event.id), Value(event.time), id_of(event.tenant), Value(event.name), Value::bytes_of(encode_fields(event.fields))},
      soon()));
  return done();
}

Status replace_keys(Session& session, const std::vector<KeyRow>& rows) {
  std::vector<Values> all;
  for (const KeyRow& row : rows) {
    Values values = place_of(row.place);
    values.insert(values.end(), {row.key_version, Value::bytes_of(row.sealed)});
    all.push_back(std::move(values));
  }
  RETURN_IF_ERROR(session.execute_batch(
      "UPDATE wrapped_key SET key_version=$5, sealed=$6 WHERE tenant=$1 AND slot=$2 AND epoch=$3 AND version=$4 "
      "AND key_version<$5 AND length(sealed)>0",
      all, soon()));
  return done();
}

}  // namespace mailhold::keys
