#include "features/held/held_items.h"

#include "base/bytes.h"
#include "base/log.h"

namespace mailhold::held {
namespace {

constexpr std::uint8_t row_version = 1;
constexpr std::uint32_t reasons_max = 256;
constexpr std::uint32_t recipients_max = 1000;
constexpr std::uint64_t revision = 1;  // a row is written once
constexpr std::string_view columns = "message, tenant, accepted_at, held_at, sealed";

const records::Schema schema{"held",
                             {"CREATE TABLE held (message bytea PRIMARY KEY, tenant bytea NOT NULL, accepted_at bigint NOT NULL,"
                              " held_at bigint NOT NULL, sealed bytea NOT NULL);"
                              "CREATE INDEX held_by_time ON held (held_at);"
                              "CREATE INDEX held_by_tenant ON held (tenant, held_at)"}};

RowPlace place_of(const HeldItem& item) {
  return {sealed::Kind::held, item.tenant, item.message, day_of(item.held_at), revision};
}

}  // namespace

std::string write_held(const HeldItem& item) {
  ByteWriter writer;
  writer.u8(row_version).text(item.held_for).u32(static_cast<std::uint32_t>(item.reasons.size()));
  for (const Why& why : item.reasons) writer.text(why.code).text(why.text);
  writer.text(item.mail_from).u32(static_cast<std::uint32_t>(item.rcpt_to.size()));
  for (const std::string& recipient : item.rcpt_to) writer.text(recipient);
  writer.text(item.client_ip).text(item.header_from).text(item.subject).u64(item.size);
  return writer.take();
}

Status read_held(std::string_view bytes, HeldItem& item) {
  ByteReader reader(bytes);
  if (reader.u8() != row_version) return Error{ErrorKind::corrupt, "a held row of an unknown version"};
  item.held_for = reader.text();
  const std::uint32_t reasons = reader.count(8);
  if (reasons > reasons_max) return Error{ErrorKind::corrupt, "a held row with too many reasons"};
  item.reasons.clear();
  for (std::uint32_t i = 0; i < reasons; ++i) {
    const std::string code(reader.text());
    item.reasons.push_back({code, std::string(reader.text())});
  }
  item.mail_from = reader.text();
  const std::uint32_t recipients = reader.count(4);
  if (recipients > recipients_max) return Error{ErrorKind::corrupt, "a held row with too many recipients"};
  item.rcpt_to.clear();
  for (std::uint32_t i = 0; i < recipients; ++i) item.rcpt_to.emplace_back(reader.text());
  item.client_ip = reader.text();
  item.header_from = reader.text();
  item.subject = reader.text();
  item.size = reader.u64();
  return reader.finish();
}

Result<std::unique_ptr<HeldItems>> HeldItems::open(records::Records& records, std::string region, store::StoreKeys& keys,
                                                   const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<HeldItems>(new HeldItems(records, RowSeal(std::move(region), keys)));
}

Status HeldItems::add(records::Session& session, const HeldItem& item, const Deadline& deadline) {
  const Result<std::string> row = seal_.seal(place_of(item), write_held(item), deadline);
  if (!row && row.error().is_temporary()) return row.error();
  if (!row) {  // the tenant was destroyed meanwhile: what cannot be sealed is not kept
    log_error("held", "a message cannot be held: " + item.message.text() + ": " + std::string(name_of(row.error().kind)));
    return done();
  }
  const records::Values values = {records::Value::bytes_of(item.message.bytes()), records::Value::bytes_of(item.tenant.bytes()),
                                  item.accepted_at, item.held_at, records::Value::bytes_of(*row)};
  ASSIGN_OR_RETURN([[maybe_unused]] const std::uint64_t changed,
                   session.execute("INSERT INTO held (message, tenant, accepted_at, held_at, sealed) VALUES ($1, $2, $3, $4, $5)"
                                   " ON CONFLICT DO NOTHING",
                                   values, deadline));
  return done();
}

Result<HeldItem> HeldItems::read(const records::Values& row, const Deadline& deadline) const {
  HeldItem item;
  item.message = Id::from_bytes(row[0].bytes());
  item.tenant = Id::from_bytes(row[1].bytes());
  item.accepted_at = row[2].number();
  item.held_at = row[3].number();
  ASSIGN_OR_RETURN(const std::string plaintext, seal_.open(place_of(item), row[4].bytes(), deadline));
  RETURN_IF_ERROR(read_held(plaintext, item));
  return item;
}

Result<HeldItem> HeldItems::take(records::Session& session, Id message, const Deadline& deadline) {
  const std::string sql = "DELETE FROM held WHERE message = $1 RETURNING " + std::string(columns);
  ASSIGN_OR_RETURN(const records::Rows rows, session.query(sql, {records::Value::bytes_of(message.bytes())}, deadline));
  if (rows.empty()) return Error{ErrorKind::not_found, "no such held message: " + message.text(), "no such held message"};
  return read(rows[0], deadline);
}

Result<std::vector<HeldItem>> HeldItems::list(Id tenant, std::size_t limit, const Deadline& deadline) {
  const std::string sql = "SELECT " + std::string(columns) + " FROM held " + (tenant.is_none() ? "" : "WHERE tenant = $2 ") +
                          "ORDER BY held_at DESC LIMIT $1";
  records::Values values = {static_cast<std::uint64_t>(std::clamp<std::size_t>(limit, 1, 1000))};
  if (!tenant.is_none()) values.push_back(records::Value::bytes_of(tenant.bytes()));
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query(sql, values, deadline));
  std::vector<HeldItem> items;
  for (const records::Values& row : rows) {
    Result<HeldItem> item = read(row, deadline);
    if (item)
      items.push_back(std::move(*item));
    else
      log_warning("held", "a row does not open: " + Id::from_bytes(row[0].bytes()).text() + ": " +
                              std::string(name_of(item.error().kind)));
  }
  return items;
}

Result<HeldItem> HeldItems::find(Id message, const Deadline& deadline) {
  const std::string sql = "SELECT " + std::string(columns) + " FROM held WHERE message = $1";
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query(sql, {records::Value::bytes_of(message.bytes())}, deadline));
  if (rows.empty()) return Error{ErrorKind::not_found, "no such held message: " + message.text(), "no such held message"};
  return read(rows[0], deadline);
}

Result<std::vector<Id>> HeldItems::held_before(Milliseconds time, std::size_t limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT message FROM held WHERE held_at < $1 ORDER BY held_at LIMIT $2",
                                  {time, static_cast<std::uint64_t>(limit)}, deadline));
  std::vector<Id> ids;
  for (const records::Values& row : rows) ids.push_back(Id::from_bytes(row[0].bytes()));
  return ids;
}

Result<std::uint64_t> HeldItems::count(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT count(*) FROM held", {}, deadline));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Result<std::uint64_t> HeldItems::count_of_day(Id tenant, std::uint32_t day, const Deadline& deadline) {
  constexpr std::int64_t day_length = 86'400'000;  // milliseconds
  const std::int64_t begin = day * day_length;
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT count(*) FROM held WHERE tenant = $1 AND held_at >= $2 AND held_at < $3",
                                  {records::Value::bytes_of(tenant.bytes()), begin, begin + day_length}, deadline));
  return static_cast<std::uint64_t>(rows[0][0].number());
}

}  // namespace mailhold::held
