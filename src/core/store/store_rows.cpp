#include "core/store/store_rows.h"

namespace mailhold::store {
namespace {

using records::Rows;
using records::Session;
using records::Value;
using records::Values;

const records::Schema& schema() {
  static const records::Schema the_schema{
      "store",
      {"CREATE TABLE store_wraps ("
       " tenant bytea NOT NULL, object bytea NOT NULL, epoch bigint NOT NULL, key_version bigint NOT NULL, wrap bytea NOT NULL,"
       " segment bigint NOT NULL, position bigint NOT NULL, length bigint NOT NULL,"
       " PRIMARY KEY (tenant, object, epoch)) /*clustered*/;"
       "CREATE INDEX store_wraps_by_epoch ON store_wraps (tenant, epoch);"
       "CREATE TABLE store_tokens ("
       " tenant bytea NOT NULL, token bytea NOT NULL, object bytea NOT NULL, PRIMARY KEY (tenant, token)) /*clustered*/"}};
  return the_schema;
}

Value value_of(Id id) { return Value::bytes_of(id.bytes()); }

Place place_from(const Values& row, std::size_t first) {
  return {static_cast<std::uint64_t>(row[first].number()), static_cast<std::uint64_t>(row[first + 1].number()),
          static_cast<std::uint32_t>(row[first + 2].number())};
}

std::vector<WrapRow> wraps_from(Id tenant, const Rows& rows) {
  std::vector<WrapRow> wraps;
  for (const Values& row : rows) {
    wraps.push_back({tenant, Id::from_bytes(row[0].bytes()), static_cast<Epoch>(row[1].number()),
                     static_cast<std::uint32_t>(row[2].number()), row[3].bytes(), place_from(row, 4)});
  }
  return wraps;
}

}  // namespace

Status StoreRows::migrate(const Deadline& deadline) { return records_.migrate(schema(), deadline); }

Result<std::vector<WrapRow>> StoreRows::wraps_of(Id tenant, Id object, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows, records_.query("SELECT object, epoch, key_version, wrap, segment, position, length FROM store_wraps "
                                                   "WHERE tenant = $1 AND object = $2 ORDER BY epoch DESC LIMIT 64",
                                                   {value_of(tenant), value_of(object)}, deadline));
  return wraps_from(tenant, rows);
}

Result<std::vector<WrapRow>> StoreRows::wraps_of_token(Id tenant, const std::string& token, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_.query("SELECT w.object, w.epoch, w.key_version, w.wrap, w.segment, w.position, w.length "
                                  "FROM store_tokens t JOIN store_wraps w ON w.tenant = t.tenant AND w.object = t.object "
                                  "WHERE t.tenant = $1 AND t.token = $2 ORDER BY w.epoch DESC LIMIT 4",
                                  {value_of(tenant), Value::bytes_of(token)}, deadline));
  return wraps_from(tenant, rows);
}

Status StoreRows::add(const std::vector<WrapRow>& wraps, const std::vector<TokenRow>& tokens, const Deadline& deadline) {
  std::vector<Values> wrap_values, token_values;
  for (const WrapRow& row : wraps) {
    wrap_values.push_back({value_of(row.tenant), value_of(row.object), row.epoch, row.key_version, Value::bytes_of(row.wrap),
                           row.place.segment, row.place.position, row.place.length});
  }
  for (const TokenRow& row : tokens) token_values.push_back({value_of(row.tenant), Value::bytes_of(row.token), value_of(row.object)});
  const auto work = [&](Session& session) -> Status {
    RETURN_IF_ERROR(session.execute_batch(
        "INSERT INTO store_wraps (tenant, object, epoch, key_version, wrap, segment, position, length) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, object, epoch) DO NOTHING", wrap_values, deadline));
    RETURN_IF_ERROR(session.execute_batch("INSERT INTO store_tokens (tenant, token, object) VALUES ($1, $2, $3) "
                                          "ON CONFLICT (tenant, token) DO UPDATE SET object = excluded.object", token_values, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

Result<std::uint64_t> StoreRows::remove_epoch(Id tenant, Epoch epoch, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::uint64_t count, records_.execute("DELETE FROM store_wraps WHERE tenant = $1 AND epoch = $2",
                                                               {value_of(tenant), epoch}, deadline));
  RETURN_IF_ERROR(records_.forget_deleted(deadline));
  return count;
}

Result<std::uint64_t> StoreRows::remove_object(Id tenant, Id object, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::uint64_t count, records_.execute("DELETE FROM store_wraps WHERE tenant = $1 AND object = $2",
                                                               {value_of(tenant), value_of(object)}, deadline));
  RETURN_IF_ERROR(records_.forget_deleted(deadline));
  return count;
}

Result<std::uint64_t> StoreRows::remove_orphaned_tokens(const Deadline& deadline) {
  return records_.execute("DELETE FROM store_tokens WHERE NOT EXISTS (SELECT 1 FROM store_wraps w "
                          "WHERE w.tenant = store_tokens.tenant AND w.object = store_tokens.object)", {}, deadline);
}

Result<std::vector<StoreRows::SegmentUse>> StoreRows::segments_in_use(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_.query("SELECT segment, CAST(SUM(length) AS bigint) FROM "
                                  "(SELECT DISTINCT segment, position, length FROM store_wraps WHERE segment > 0) AS live "
                                  "GROUP BY segment ORDER BY segment", {}, deadline));
  std::vector<SegmentUse> uses;
  for (const Values& row : rows) uses.push_back({static_cast<std::uint64_t>(row[0].number()), static_cast<std::uint64_t>(row[1].number())});
  return uses;
}

Result<std::vector<ObjectPlace>> StoreRows::objects_in(std::uint64_t segment, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows, records_.query("SELECT DISTINCT tenant, object, segment, position, length FROM store_wraps "
                                                   "WHERE segment = $1 ORDER BY position", {segment}, deadline));
  std::vector<ObjectPlace> objects;
  for (const Values& row : rows) {
    objects.push_back({Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes()), place_from(row, 2)});
  }
  return objects;
}

Status StoreRows::move(const std::vector<std::pair<ObjectPlace, Place>>& moves, const Deadline& deadline) {
  std::vector<Values> values;
  for (const auto& [from, to] : moves) {
    values.push_back({to.segment, to.position, value_of(from.tenant), value_of(from.object), from.place.segment, from.place.position});
  }
  RETURN_IF_ERROR(records_.execute_batch("UPDATE store_wraps SET segment = $1, position = $2 "
                                         "WHERE tenant = $3 AND object = $4 AND segment = $5 AND position = $6", values, deadline));
  return done();
}

Status StoreRows::set_places(const std::vector<Found>& found, const Deadline& deadline) {
  std::vector<Values> places, tokens;
  for (const Found& one : found) {
    const ObjectPlace& at = one.object;
    places.push_back({value_of(at.tenant), value_of(at.object), at.place.segment, at.place.position, at.place.length});
    if (!one.token.empty()) tokens.push_back({value_of(at.tenant), Value::bytes_of(one.token), value_of(at.object)});
  }
  const auto work = [&](Session& session) -> Status {
    RETURN_IF_ERROR(session.execute_batch("UPDATE store_wraps SET segment = $3, position = $4, length = $5 "
                                          "WHERE tenant = $1 AND object = $2", places, deadline));
    RETURN_IF_ERROR(session.execute_batch(
        "INSERT INTO store_tokens (tenant, token, object) SELECT DISTINCT tenant, $2, object "
        "FROM store_wraps WHERE tenant = $1 AND object = $3 ON CONFLICT (tenant, token) DO UPDATE SET object = excluded.object",
        tokens, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

}  // namespace mailhold::store
