#include "core/broker/permit_book.h"

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

using records::Value;

const records::Schema schema{"permits",
                             {"CREATE TABLE permits (operation bytea PRIMARY KEY, tenant bytea NOT NULL, until bigint NOT NULL,"
                              " sealed bytea NOT NULL)",
                              "ALTER TABLE permits ADD COLUMN connection bytea;"
                              "ALTER TABLE permits ADD COLUMN withdrawn bigint NOT NULL DEFAULT 0",
                              // Which connection it is for, the operation says; those withdrawn before were not sealed as such.
                              "ALTER TABLE permits DROP COLUMN connection; DELETE FROM permits WHERE withdrawn <> 0"}};

// As they stand in what open_row takes.
constexpr std::string_view columns = "operation, tenant, until, withdrawn, sealed";

// With the end of its time and whether it was withdrawn: nobody can then change either in the row.
std::string context_of(std::string_view hash, Milliseconds until, bool is_withdrawn) {
  return "permit " + to_hex(hash) + " until " + std::to_string(until) + (is_withdrawn ? " withdrawn" : "");
}

}  // namespace

Result<std::unique_ptr<PermitBook>> PermitBook::open(records::Records& records, ConnectionBook& seals, const Clock& clock,
                                                     const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<PermitBook>(new PermitBook(records, seals, clock));
}

Result<Milliseconds> PermitBook::allow(const access::Operation& operation, const Deadline& deadline) {
  const std::string bytes = access::encode(operation);
  const std::string hash = crypto::sha256(bytes);
  const Milliseconds now = clock_.now(), until = now + permit_life;
  ASSIGN_OR_RETURN(const std::string sealed, seals_.seal(operation.tenant, context_of(hash, until, false), bytes, deadline));
  const auto work = [&](records::Session& session) -> Status {
    RETURN_IF_ERROR(session.execute("DELETE FROM permits WHERE until <= $1", {now - permit_kept}, deadline));
    RETURN_IF_ERROR(session.execute(
        "INSERT INTO permits (operation, tenant, until, sealed) VALUES ($1, $2, $3, $4)",
        {Value::bytes_of(hash), Value::bytes_of(operation.tenant.bytes()), until, Value::bytes_of(sealed)}, deadline));
    return done();
  };
  RETURN_IF_ERROR(records_.transaction(work, deadline));
  return until;
}

Result<access::Operation> PermitBook::find(std::string_view hash, const Deadline& deadline) {
  return find(hash, Counts::now, deadline);
}

Result<access::Operation> PermitBook::find_used(std::string_view hash, const Deadline& deadline) {
  return find(hash, Counts::no_more, deadline);
}

Result<access::Operation> PermitBook::find(std::string_view hash, Counts counts, const Deadline& deadline) {
  const bool is_now = counts == Counts::now;
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT " + std::string(columns) + " FROM permits WHERE operation = $1 AND until > $2",
                                  {Value::bytes_of(hash), clock_.now() - (is_now ? 0 : permit_kept)}, deadline));
  if (rows.empty() || (is_now && rows[0][3].number() != 0)) {
    const std::string what =
        "there is no such permit: it waits for a second person, or it counts no more (its eight hours are over, or its "
        "connection was suspended, changed or removed)";
    return Error{ErrorKind::not_found, what, what};
  }
  return open_row(rows[0], deadline);
}

Result<access::Operation> PermitBook::open_row(const records::Values& row, const Deadline& deadline) {
  const std::string& hash = row[0].bytes();
  const Id tenant = Id::from_bytes(row[1].bytes());
  const bool is_withdrawn = row[3].number() != 0;
  ASSIGN_OR_RETURN(const std::string bytes,
                   seals_.unseal(tenant, context_of(hash, row[2].number(), is_withdrawn), row[4].bytes(), deadline));
  ASSIGN_OR_RETURN(access::Operation operation, access::parse_operation(bytes));
  // The seal says that brokerd wrote it there; the hash that it is this one.
  if (operation.tenant != tenant || crypto::sha256(bytes) != hash) return Error{ErrorKind::corrupt, "a permit is another one"};
  return operation;
}

// Every row is opened: what lies in the clear beside the seal is not asked which of them it is.
Status PermitBook::withdraw(Id connection, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT " + std::string(columns) + " FROM permits", {}, deadline));
  Status outcome = done();
  for (const records::Values& row : rows) {
    if (Status withdrawn = withdraw_row(row, connection, deadline); !withdrawn && outcome) outcome = std::move(withdrawn);
  }
  return outcome;
}

Status PermitBook::withdraw_row(const records::Values& row, Id connection, const Deadline& deadline) {
  const auto operation = open_row(row, deadline);
  if (!operation && operation.error().is_temporary()) return operation.error();
  if (!operation) {
    RETURN_IF_ERROR(records_.execute("DELETE FROM permits WHERE operation = $1", {row[0]}, deadline));
    return done();
  }
  if (row[3].number() != 0 || operation->argument_or("connection", "") != connection.text()) return done();
  ASSIGN_OR_RETURN(const std::string sealed, seals_.seal(operation->tenant, context_of(row[0].bytes(), row[2].number(), true),
                                                         access::encode(*operation), deadline));
  RETURN_IF_ERROR(records_.execute("UPDATE permits SET withdrawn = 1, sealed = $2 WHERE operation = $1",
                                   {row[0], Value::bytes_of(sealed)}, deadline));
  return done();
}

}  // namespace mailhold::broker
