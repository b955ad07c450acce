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
       " object bytea NOT NULL, epoch bigint NOT NULL, tenant bytea NOT NULL, key_version bigint NOT NULL, wrap bytea NOT NULL,"
       " segment bigint NOT NULL, position bigint NOT NULL, length bigint NOT NULL,"
       " PRIMARY KEY (object, epoch)) /*clustered*/;"
       "CREATE INDEX store_wraps_by_epoch ON store_wraps (tenant, epoch);"
       "CREATE TABLE store_names ("
       " tenant bytea NOT NULL, name bytea NOT NULL, object bytea NOT NULL, PRIMARY KEY (tenant, name)) /*clustered*/",
       "CREATE TABLE store_uses (message bytea NOT NULL, part bytea NOT NULL, tenant bytea NOT NULL,"
       " PRIMARY KEY (message, part)) /*clustered*/;"
       "CREATE INDEX store_uses_by_part ON store_uses (part)",
       "ALTER TABLE store_names ADD COLUMN member bigint NOT NULL DEFAULT 0",
       "CREATE TABLE store_not_found (segment bigint NOT NULL PRIMARY KEY) /*clustered*/"}};
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
  ASSIGN_OR_RETURN(const Rows rows,
                   records_.query("SELECT object, epoch, key_version, wrap, segment, position, length FROM store_wraps "
                                  "WHERE object = $2 AND tenant = $1 ORDER BY epoch DESC LIMIT 64",
                                  {value_of(tenant), value_of(object)}, deadline));
  return wraps_from(tenant, rows);
}

Result<NamedWraps> StoreRows::wraps_of_name(Id tenant, std::string_view name, const Deadline& deadline) {
  return wraps_of_name(records_, tenant, name, deadline);
}

Result<NamedWraps> StoreRows::wraps_of_name(Session& session, Id tenant, std::string_view name, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows,
                   session.query("SELECT w.object, w.epoch, w.key_version, w.wrap, w.segment, w.position, w.length, n.member "
                                 "FROM store_names n JOIN store_wraps w ON w.object = n.object AND w.tenant = n.tenant "
                                 "WHERE n.tenant = $1 AND n.name = $2 ORDER BY w.epoch DESC LIMIT 4",
                                 {value_of(tenant), Value::bytes_of(name)}, deadline));
  return NamedWraps{rows.empty() ? 0 : static_cast<std::uint32_t>(rows[0][7].number()), wraps_from(tenant, rows)};
}

Result<std::optional<NameRow>> StoreRows::find_name(Id tenant, std::string_view name, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows, records_.query("SELECT object, member FROM store_names WHERE tenant = $1 AND name = $2",
                                                   {value_of(tenant), Value::bytes_of(name)}, deadline));
  if (rows.empty()) return std::optional<NameRow>();
  return std::optional(
      NameRow{tenant, std::string(name), Id::from_bytes(rows[0][0].bytes()), static_cast<std::uint32_t>(rows[0][1].number())});
}

Result<std::vector<NameRow>> StoreRows::names_of(Id tenant, Id object, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_.query("SELECT name, member FROM store_names WHERE tenant = $1 AND object = $2 ORDER BY member",
                                  {value_of(tenant), value_of(object)}, deadline));
  std::vector<NameRow> names;
  for (const Values& row : rows) names.push_back({tenant, row[0].bytes(), object, static_cast<std::uint32_t>(row[1].number())});
  return names;
}

Status StoreRows::add(Session& session, const std::vector<WrapRow>& wraps, const std::vector<NameRow>& names,
                      const Deadline& deadline) {
  std::vector<Values> wrap_values, name_values;
  for (const WrapRow& row : wraps) {
    wrap_values.push_back({value_of(row.object), row.epoch, value_of(row.tenant), row.key_version, Value::bytes_of(row.wrap),
                           row.place.segment, row.place.position, row.place.length});
  }
  for (const NameRow& row : names)
    name_values.push_back({value_of(row.tenant), Value::bytes_of(row.name), value_of(row.object), row.member});
  RETURN_IF_ERROR(
      session.execute_batch("INSERT INTO store_wraps (object, epoch, tenant, key_version, wrap, segment, position, length) "
                            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (object, epoch) DO NOTHING",
                            wrap_values, deadline));
  RETURN_IF_ERROR(
      session.execute_batch("INSERT INTO store_names (tenant, name, object, member) VALUES ($1, $2, $3, $4) "
                            "ON CONFLICT (tenant, name) DO UPDATE SET object = excluded.object, member = excluded.member",
                            name_values, deadline));
  return done();
}

Result<std::vector<WrapRow>> StoreRows::wraps_below(Id tenant, Epoch epoch, std::uint32_t version, std::uint32_t limit,
                                                    const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_.query("SELECT object, epoch, key_version, wrap, segment, position, length FROM store_wraps "
                                  "WHERE tenant = $1 AND epoch = $2 AND key_version < $3 LIMIT $4",
                                  {value_of(tenant), epoch, version, limit}, deadline));
  return wraps_from(tenant, rows);
}

Status StoreRows::replace_wraps(const std::vector<WrapRow>& rows, const Deadline& deadline) {
  std::vector<Values> values;
  for (const WrapRow& row : rows)
    values.push_back({value_of(row.object), row.epoch, value_of(row.tenant), row.key_version, Value::bytes_of(row.wrap)});
  RETURN_IF_ERROR(
      records_.execute_batch("UPDATE store_wraps SET key_version = $4, wrap = $5 "
                             "WHERE object = $1 AND epoch = $2 AND tenant = $3 AND key_version < $4",
                             values, deadline));
  return records_.forget_deleted(deadline);
}

Result<std::uint64_t> StoreRows::remove_epoch(Id tenant, Epoch epoch, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::uint64_t count, records_.execute("DELETE FROM store_wraps WHERE tenant = $1 AND epoch = $2",
                                                               {value_of(tenant), epoch}, deadline));
  RETURN_IF_ERROR(records_.forget_deleted(deadline));
  return count;
}

Status StoreRows::add_uses(Session& session, const std::vector<UseRow>& uses, const Deadline& deadline) {
  std::vector<Values> values;
  for (const UseRow& use : uses) values.push_back({value_of(use.message), value_of(use.part), value_of(use.tenant)});
  RETURN_IF_ERROR(session.execute_batch(
      "INSERT INTO store_uses (message, part, tenant) VALUES ($1, $2, $3) ON CONFLICT (message, part) DO NOTHING", values,
      deadline));
  return done();
}

Result<std::vector<NameRow>> StoreRows::messages_without_uses(std::size_t limit, const Deadline& deadline) {
  // The name of a message is its id; that of a part is longer.
  ASSIGN_OR_RETURN(const Rows rows, records_.query("SELECT tenant, name, object FROM store_names n WHERE length(name) = 16 "
                                                   "AND NOT EXISTS (SELECT 1 FROM store_uses u "
                                                   "WHERE u.message = n.object AND u.part = n.object) LIMIT $1",
                                                   {std::uint64_t{limit}}, deadline));
  std::vector<NameRow> names;
  for (const Values& row : rows)
    names.push_back({Id::from_bytes(row[0].bytes()), row[1].bytes(), Id::from_bytes(row[2].bytes()), 0});
  return names;
}

Result<std::uint64_t> StoreRows::remove_object(Session& session, Id tenant, Id object, const Deadline& deadline) {
  const Values values{value_of(tenant), value_of(object)};
  ASSIGN_OR_RETURN(const std::uint64_t count,
                   session.execute("DELETE FROM store_wraps WHERE tenant = $1 AND object = $2", values, deadline));
  RETURN_IF_ERROR(session.execute("DELETE FROM store_uses WHERE tenant = $1 AND message = $2", values, deadline));
  return count;
}

Result<std::uint64_t> StoreRows::remove_object_and_parts(Session& session, Id tenant, Id object, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows parts,
                   session.query("SELECT part FROM store_uses WHERE tenant = $1 AND message = $2 AND part <> $2",
                                 {value_of(tenant), value_of(object)}, deadline));
  ASSIGN_OR_RETURN(const std::uint64_t own, remove_object(session, tenant, object, deadline));
  std::vector<Values> values;
  for (const Values& part : parts) values.push_back({value_of(tenant), part[0]});
  ASSIGN_OR_RETURN(const std::uint64_t of_parts,
                   session.execute_batch("DELETE FROM store_wraps WHERE tenant = $1 AND object = $2 AND NOT EXISTS "
                                         "(SELECT 1 FROM store_uses u JOIN store_wraps w ON w.object = u.message "
                                         "WHERE u.part = $2 AND w.tenant = $1 AND w.epoch = store_wraps.epoch)",
                                         values, deadline));
  return own + of_parts;
}

Status StoreRows::remove_names(Session& session, Id tenant, const std::vector<Id>& messages, const Deadline& deadline) {
  std::vector<Values> values;
  for (const Id& message : messages) values.push_back({value_of(tenant), value_of(message)});
  RETURN_IF_ERROR(session.execute_batch("DELETE FROM store_names WHERE tenant = $1 AND name = $2", values, deadline));
  return done();
}

Status StoreRows::remove_names_of(Id tenant, Id object, const Deadline& deadline) {
  RETURN_IF_ERROR(records_.execute("DELETE FROM store_names WHERE tenant = $1 AND object = $2",
                                   {value_of(tenant), value_of(object)}, deadline));
  return done();
}

Result<std::uint64_t> StoreRows::remove_orphaned_names(const Deadline& deadline) {
  return records_.execute(
      "DELETE FROM store_names WHERE NOT EXISTS (SELECT 1 FROM store_wraps w "
      "WHERE w.object = store_names.object AND w.tenant = store_names.tenant)",
      {}, deadline);
}

Result<std::vector<StoreRows::SegmentUse>> StoreRows::segments_in_use(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows,
                   records_.query("SELECT segment, CAST(SUM(length) AS bigint) FROM "
                                  "(SELECT DISTINCT segment, position, length FROM store_wraps WHERE segment > 0) AS live "
                                  "GROUP BY segment ORDER BY segment",
                                  {}, deadline));
  std::vector<SegmentUse> uses;
  for (const Values& row : rows)
    uses.push_back({static_cast<std::uint64_t>(row[0].number()), static_cast<std::uint64_t>(row[1].number())});
  return uses;
}

Result<std::vector<ObjectPlace>> StoreRows::objects_in(std::uint64_t segment, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows, records_.query("SELECT DISTINCT tenant, object, segment, position, length FROM store_wraps "
                                                   "WHERE segment = $1 ORDER BY position",
                                                   {segment}, deadline));
  std::vector<ObjectPlace> objects;
  for (const Values& row : rows) {
    objects.push_back({Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes()), place_from(row, 2)});
  }
  return objects;
}

Status StoreRows::move(const std::vector<std::pair<ObjectPlace, Place>>& moves, const Deadline& deadline) {
  std::vector<Values> values;
  for (const auto& [from, to] : moves) {
    values.push_back(
        {to.segment, to.position, value_of(from.tenant), value_of(from.object), from.place.segment, from.place.position});
  }
  RETURN_IF_ERROR(
      records_.execute_batch("UPDATE store_wraps SET segment = $1, position = $2 "
                             "WHERE object = $4 AND tenant = $3 AND segment = $5 AND position = $6",
                             values, deadline));
  return done();
}

Result<std::set<std::uint64_t>> StoreRows::segments_not_found(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Rows rows, records_.query("SELECT segment FROM store_not_found", {}, deadline));
  std::set<std::uint64_t> segments;
  for (const Values& row : rows) segments.insert(static_cast<std::uint64_t>(row[0].number()));
  return segments;
}

Status StoreRows::note_segments_not_found(const std::vector<std::uint64_t>& segments, const Deadline& deadline) {
  std::vector<Values> values;
  for (const std::uint64_t segment : segments) values.push_back({segment});
  const auto work = [&](Session& session) -> Status {
    RETURN_IF_ERROR(session.execute("DELETE FROM store_not_found", {}, deadline));
    RETURN_IF_ERROR(session.execute_batch("INSERT INTO store_not_found (segment) VALUES ($1)", values, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

Status StoreRows::set_places(const std::vector<Found>& found, const Deadline& deadline) {
  std::vector<Values> places, names;
  for (const Found& one : found) {
    const ObjectPlace& at = one.object;
    places.push_back({value_of(at.tenant), value_of(at.object), at.place.segment, at.place.position, at.place.length});
    names.push_back({value_of(at.tenant), Value::bytes_of(one.name), value_of(at.object), one.member});
  }
  const auto work = [&](Session& session) -> Status {
    RETURN_IF_ERROR(
        session.execute_batch("UPDATE store_wraps SET segment = $3, position = $4, length = $5 "
                              "WHERE object = $2 AND tenant = $1",
                              places, deadline));
    RETURN_IF_ERROR(session.execute_batch(
        "INSERT INTO store_names (tenant, name, object, member) SELECT DISTINCT tenant, $2, object, $4 FROM store_wraps "
        "WHERE object = $3 AND tenant = $1 "
        "ON CONFLICT (tenant, name) DO UPDATE SET object = excluded.object, member = excluded.member",
        names, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

}  // namespace mailhold::store
