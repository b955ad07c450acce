#include "features/gateway/queue/queue_index.h"

#include "base/log.h"

namespace mailhold::queue {
namespace {

using records::Value;

const records::Schema schema{
    "queue",
    {"CREATE TABLE queue (message bytea PRIMARY KEY, tenant bytea NOT NULL, route bytea NOT NULL, segment bigint NOT NULL,"
     " place bigint NOT NULL, length bigint NOT NULL, waiting bigint NOT NULL, next_attempt bigint NOT NULL,"
     " sealed_day bigint NOT NULL, revision bigint NOT NULL, sealed bytea NOT NULL);"
     "CREATE INDEX queue_by_time ON queue (waiting, next_attempt);"
     "CREATE INDEX queue_by_place ON queue (segment, place);"
     "CREATE TABLE queue_finished (segment bigint NOT NULL, place bigint NOT NULL, PRIMARY KEY (segment, place)) /*clustered*/;"
     "CREATE TABLE queue_positions (name text PRIMARY KEY, segment bigint NOT NULL, place bigint NOT NULL);"
     "CREATE TABLE queue_paused (route bytea PRIMARY KEY)"}};

Value of(const Id& id) { return Value::bytes_of(id.bytes()); }
Status only_status(const Result<std::uint64_t>& changed) { return changed ? done() : Status(changed.error()); }

held::RowPlace place_of(const QueueItem& item) {
  return {sealed::Kind::queue, item.tenant, item.message, item.sealed_day, item.revision};
}

RowSummary summary_of(const records::Values& row) {
  return {Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes()), Id::from_bytes(row[2].bytes()), row[3].number() != 0,
          row[4].number()};
}

std::vector<RowSummary> summaries_of(const records::Rows& rows) {
  std::vector<RowSummary> summaries;
  for (const records::Values& row : rows) summaries.push_back(summary_of(row));
  return summaries;
}

constexpr std::string_view summary_columns = "SELECT message, tenant, route, waiting, next_attempt FROM queue ";

}  // namespace

Result<std::unique_ptr<QueueIndex>> QueueIndex::open(records::Records& records, std::string region, store::StoreKeys& keys,
                                                     const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<QueueIndex>(new QueueIndex(records, held::RowSeal(std::move(region), keys)));
}

Status QueueIndex::write_rows(records::Session& session, std::vector<WaitingItem>& items, Milliseconds now,
                              const Deadline& deadline) {
  std::vector<records::Values> rows;
  for (WaitingItem& waiting : items) {
    QueueItem& item = waiting.item;
    ++item.revision;
    if (item.sealed_day == 0) item.sealed_day = day_of(now);
    const Result<std::string> sealed = seal_.seal(place_of(item), write_item(item), deadline);
    if (!sealed && sealed.error().is_temporary()) return sealed.error();
    if (!sealed) {  // the tenant or its day was destroyed meanwhile: what cannot be sealed is not kept
      log_error("queue", "a message cannot be queued: " + item.message.text() + ": " +
                             std::string(mailhold::name_of(sealed.error().kind)));
      continue;
    }
    rows.push_back({of(item.message), of(item.tenant), of(waiting.route), item.where.segment, item.where.offset,
                    item.where.length, waiting.is_waiting ? 1 : 0, item.next_attempt, item.sealed_day, item.revision,
                    Value::bytes_of(*sealed)});
  }
  if (rows.empty()) return done();
  return only_status(session.execute_batch(
      "INSERT INTO queue (message, tenant, route, segment, place, length, waiting, next_attempt, sealed_day, revision, sealed)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (message) DO UPDATE SET route = excluded.route,"
      " waiting = excluded.waiting, next_attempt = excluded.next_attempt, revision = excluded.revision, sealed = excluded.sealed",
      rows, deadline));
}

Status QueueIndex::remove_rows(records::Session& session, const std::vector<Id>& messages, const Deadline& deadline) {
  std::vector<records::Values> rows;
  for (const Id& message : messages) rows.push_back({of(message)});
  return rows.empty() ? done() : only_status(session.execute_batch("DELETE FROM queue WHERE message = $1", rows, deadline));
}

Status QueueIndex::add_finished(records::Session& session, const std::vector<Position>& places, const Deadline& deadline) {
  std::vector<records::Values> rows;
  for (const Position& place : places) rows.push_back({place.segment, place.offset});
  if (rows.empty()) return done();
  return only_status(session.execute_batch("INSERT INTO queue_finished (segment, place) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                                           rows, deadline));
}

Status QueueIndex::set_position(records::Session& session, const std::string& name, Position position, const Deadline& deadline) {
  return only_status(
      session.execute("INSERT INTO queue_positions (name, segment, place) VALUES ($1, $2, $3) ON CONFLICT (name)"
                      " DO UPDATE SET segment = excluded.segment, place = excluded.place",
                      {name, position.segment, position.offset}, deadline));
}

Status QueueIndex::forget_segment(records::Session& session, std::uint64_t segment, const Deadline& deadline) {
  return only_status(session.execute("DELETE FROM queue_finished WHERE segment = $1", {segment}, deadline));
}

Status QueueIndex::forget_segments_before(std::uint64_t segment, const Deadline& deadline) {
  return only_status(records_.execute("DELETE FROM queue_finished WHERE segment < $1", {segment}, deadline));
}

Result<Position> QueueIndex::position(const std::string& name, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT segment, place FROM queue_positions WHERE name = $1", {name}, deadline));
  if (rows.empty()) return Position{};
  return Position{static_cast<std::uint64_t>(rows[0][0].number()), static_cast<std::uint64_t>(rows[0][1].number())};
}

Result<std::set<std::uint64_t>> QueueIndex::settled_places(std::uint64_t segment, const Deadline& deadline) {
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query("SELECT place FROM queue_finished WHERE segment = $1 UNION SELECT place FROM queue WHERE segment = $1",
                     {segment}, deadline));
  std::set<std::uint64_t> places;
  for (const records::Values& row : rows) places.insert(static_cast<std::uint64_t>(row[0].number()));
  return places;
}

Result<std::vector<RowSummary>> QueueIndex::due(Milliseconds now, std::size_t limit, const Deadline& deadline) {
  const std::string sql =
      std::string(summary_columns) + "WHERE waiting = 0 AND next_attempt <= $1 ORDER BY next_attempt LIMIT $2";
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query(sql, {now, static_cast<std::uint64_t>(limit)}, deadline));
  return summaries_of(rows);
}

Status QueueIndex::postpone(const std::vector<Id>& messages, Milliseconds until, const Deadline& deadline) {
  std::vector<records::Values> rows;
  for (const Id& message : messages) rows.push_back({of(message), until});
  if (rows.empty()) return done();
  return only_status(records_.execute_batch("UPDATE queue SET next_attempt = $2 WHERE message = $1", rows, deadline));
}

Result<QueueItem> QueueIndex::load(Id message, const Deadline& deadline) {
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query(
          "SELECT tenant, segment, place, length, next_attempt, sealed_day, revision, sealed FROM queue WHERE message = $1",
          {of(message)}, deadline));
  if (rows.empty()) return Error{ErrorKind::not_found, "no such queued message: " + message.text(), "no such queued message"};
  const records::Values& row = rows[0];
  QueueItem item;
  item.message = message;
  item.tenant = Id::from_bytes(row[0].bytes());
  item.where.segment = static_cast<std::uint64_t>(row[1].number());
  item.where.offset = static_cast<std::uint64_t>(row[2].number());
  item.where.length = static_cast<std::uint32_t>(row[3].number());
  item.next_attempt = row[4].number();
  item.sealed_day = static_cast<std::uint32_t>(row[5].number());
  item.revision = static_cast<std::uint64_t>(row[6].number());
  ASSIGN_OR_RETURN(const std::string plaintext, seal_.open(place_of(item), row[7].bytes(), deadline));
  RETURN_IF_ERROR(read_item(plaintext, item));
  return item;
}

Result<std::vector<RowSummary>> QueueIndex::list(Id tenant, std::size_t limit, const Deadline& deadline) {
  const std::string sql =
      std::string(summary_columns) + (tenant.is_none() ? "" : "WHERE tenant = $2 ") + "ORDER BY next_attempt LIMIT $1";
  records::Values values = {static_cast<std::uint64_t>(limit)};
  if (!tenant.is_none()) values.push_back(of(tenant));
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query(sql, values, deadline));
  return summaries_of(rows);
}

Result<std::uint64_t> QueueIndex::count(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT count(*) FROM queue", {}, deadline));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Status QueueIndex::set_waiting(Id route, bool is_waiting, Milliseconds now, const Deadline& deadline) {
  if (is_waiting) return only_status(records_.execute("UPDATE queue SET waiting = 1 WHERE route = $1", {of(route)}, deadline));
  return only_status(
      records_.execute("UPDATE queue SET waiting = 0, next_attempt = $2 WHERE route = $1", {of(route), now}, deadline));
}

Result<std::uint64_t> QueueIndex::make_due(Id tenant, Id message, Milliseconds now, const Deadline& deadline) {
  std::string sql = "UPDATE queue SET next_attempt = $1";
  records::Values values = {now};
  if (!message.is_none()) {
    sql += " WHERE message = $2";
    values.push_back(of(message));
  } else if (!tenant.is_none()) {
    sql += " WHERE tenant = $2";
    values.push_back(of(tenant));
  }
  return records_.execute(sql, values, deadline);
}

Status QueueIndex::set_paused(Id route, bool is_paused, const Deadline& deadline) {
  return only_status(records_.execute(is_paused ? "INSERT INTO queue_paused (route) VALUES ($1) ON CONFLICT DO NOTHING"
                                                : "DELETE FROM queue_paused WHERE route = $1",
                                      {of(route)}, deadline));
}

Result<std::set<Id>> QueueIndex::paused_routes(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT route FROM queue_paused", {}, deadline));
  std::set<Id> routes;
  for (const records::Values& row : rows) routes.insert(Id::from_bytes(row[0].bytes()));
  return routes;
}

Result<std::uint64_t> QueueIndex::count_of_day(Id tenant, std::uint32_t day, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT count(*) FROM queue WHERE tenant = $1 AND sealed_day = $2",
                                                            {of(tenant), day}, deadline));
  return static_cast<std::uint64_t>(rows[0][0].number());
}

}  // namespace mailhold::queue
