#include "core/broker/usage_book.h"

#include <algorithm>

namespace mailhold::broker {
namespace {

using records::Value;

const records::Schema schema{
    "usage",
    {"CREATE TABLE usage (connection bytea NOT NULL, period bigint NOT NULL, sessions bigint NOT NULL, items bigint NOT NULL, "
     "bytes bigint NOT NULL, PRIMARY KEY (connection, period));"
     "CREATE TABLE usage_mailbox (connection bytea NOT NULL, period bigint NOT NULL, name bytea NOT NULL, "
     "PRIMARY KEY (connection, period, name))"}};

constexpr Milliseconds hour = 60 * 60 * 1000;
constexpr std::uint64_t bytes_at_least = 16 * 1024;

// Hours are even, days odd, so that one table holds both.
std::int64_t hour_of(Milliseconds now) { return now / hour * 2; }
std::int64_t day_of(Milliseconds now) { return now / (24 * hour) * 2 + 1; }

constexpr std::uint64_t endless = UINT64_MAX;

// A quarter of what is left, so that one session does not take all of it; what is small is given whole.
std::uint64_t share(std::uint64_t wanted, std::uint64_t left, std::uint64_t at_least) {
  return left == endless ? wanted : std::min({wanted, left, std::max(left / 4, at_least)});
}

}  // namespace

Result<std::unique_ptr<UsageBook>> UsageBook::open(records::Records& records, const Clock& clock, const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<UsageBook>(new UsageBook(records, clock));
}

Result<Usage> UsageBook::read(Id connection, std::int64_t window, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT sessions, items, bytes FROM usage WHERE connection = $1 AND period = $2",
                                  {Value::bytes_of(connection.bytes()), Value(window)}, deadline));
  Usage usage;
  if (rows.empty()) return usage;
  usage.sessions = static_cast<std::uint64_t>(rows[0][0].number());
  usage.items = static_cast<std::uint64_t>(rows[0][1].number());
  usage.bytes = static_cast<std::uint64_t>(rows[0][2].number());
  return usage;
}

Status UsageBook::add(Id connection, std::int64_t sessions, std::int64_t items, std::int64_t bytes, const Deadline& deadline) {
  const Milliseconds now = clock_.now();
  std::vector<records::Values> rows;
  for (const std::int64_t window : {hour_of(now), day_of(now)})
    rows.push_back({Value::bytes_of(connection.bytes()), Value(window), Value(sessions), Value(items), Value(bytes)});
  RETURN_IF_ERROR(
      records_.execute_batch("INSERT INTO usage (connection, period, sessions, items, bytes) VALUES ($1, $2, $3, $4, $5) ON "
                             "CONFLICT (connection, period) "
                             "DO UPDATE SET sessions = usage.sessions + excluded.sessions, items = usage.items + excluded.items, "
                             "bytes = usage.bytes + excluded.bytes",
                             rows, deadline));
  return done();
}

Status UsageBook::begin_session(const access::Connection& connection, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  const Milliseconds now = clock_.now();
  ASSIGN_OR_RETURN(const Usage in_hour, read(connection.id, hour_of(now), deadline));
  ASSIGN_OR_RETURN(const Usage in_day, read(connection.id, day_of(now), deadline));
  RETURN_IF_ERROR(check_caps(connection.caps, in_hour, in_day));
  RETURN_IF_ERROR(add(connection.id, 1, 0, 0, deadline));
  return done();
}

Result<Allowance> UsageBook::grant(const access::Connection& connection, const Allowance& wanted, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  const Milliseconds now = clock_.now();
  ASSIGN_OR_RETURN(const Usage in_hour, read(connection.id, hour_of(now), deadline));
  ASSIGN_OR_RETURN(const Usage in_day, read(connection.id, day_of(now), deadline));
  const access::Caps& caps = connection.caps;
  Allowance granted;
  granted.items =
      share(wanted.items, std::min(left_of(caps.items_hour, in_hour.items), left_of(caps.items_day, in_day.items)), 1);
  granted.bytes = share(wanted.bytes, std::min(left_of(caps.bytes_hour, in_hour.bytes), left_of(caps.bytes_day, in_day.bytes)),
                        bytes_at_least);
  if (granted.items == 0 && granted.bytes == 0) return granted;
  RETURN_IF_ERROR(
      add(connection.id, 0, static_cast<std::int64_t>(granted.items), static_cast<std::int64_t>(granted.bytes), deadline));
  return granted;
}

Status UsageBook::give_back(const access::Connection& connection, const Allowance& unused, Milliseconds granted_at,
                            const Deadline& deadline) {
  if (unused.items == 0 && unused.bytes == 0) return done();
  const std::lock_guard lock(mutex_);
  for (const std::int64_t window : {hour_of(granted_at), day_of(granted_at)}) {
    RETURN_IF_ERROR(records_.execute(
        "UPDATE usage SET items = items - $3, bytes = bytes - $4 WHERE connection = $1 AND period = $2",
        {Value::bytes_of(connection.id.bytes()), Value(window), Value(unused.items), Value(unused.bytes)}, deadline));
  }
  return done();
}

Result<bool> UsageBook::reach_mailbox(const access::Connection& connection, const std::string& name, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  const std::int64_t today = day_of(clock_.now());
  const Value id = Value::bytes_of(connection.id.bytes());
  if (connection.caps.mailboxes_day > 0) {
    ASSIGN_OR_RETURN(const records::Rows known,
                     records_.query("SELECT 1 FROM usage_mailbox WHERE connection = $1 AND period = $2 AND name = $3",
                                    {id, Value(today), Value::bytes_of(name)}, deadline));
    if (!known.empty()) return true;
    ASSIGN_OR_RETURN(
        const records::Rows count,
        records_.query("SELECT count(*) FROM usage_mailbox WHERE connection = $1 AND period = $2", {id, Value(today)}, deadline));
    if (static_cast<std::uint64_t>(count.at(0).at(0).number()) >= connection.caps.mailboxes_day) return false;
  }
  RETURN_IF_ERROR(
      records_.execute("DELETE FROM usage_mailbox WHERE connection = $1 AND period < $2", {id, Value(today)}, deadline));
  RETURN_IF_ERROR(
      records_.execute("INSERT INTO usage_mailbox (connection, period, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                       {id, Value(today), Value::bytes_of(name)}, deadline));
  return true;
}

Result<Usage> UsageBook::of_hour(Id connection, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  return read(connection, hour_of(clock_.now()), deadline);
}

Result<Usage> UsageBook::of_day(Id connection, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  const std::int64_t today = day_of(clock_.now());
  ASSIGN_OR_RETURN(Usage usage, read(connection, today, deadline));
  ASSIGN_OR_RETURN(const records::Rows count,
                   records_.query("SELECT count(*) FROM usage_mailbox WHERE connection = $1 AND period = $2",
                                  {Value::bytes_of(connection.bytes()), Value(today)}, deadline));
  usage.mailboxes = static_cast<std::uint64_t>(count.at(0).at(0).number());
  return usage;
}

}  // namespace mailhold::broker
