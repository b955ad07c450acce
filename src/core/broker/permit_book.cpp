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
                              "ALTER TABLE permits ADD COLUMN withdrawn bigint NOT NULL DEFAULT 0"}};

// With the end of its time, which nobody can then move in the row.
std::string context_of(std::string_view hash, Milliseconds until) {
  return "permit " + to_hex(hash) + " until " + std::to_string(until);
}

// Of the connection that it names; null if it names none.
Value connection_of(const access::Operation& operation) {
  const auto connection = Id::parse(operation.argument_or("connection", ""));
  return connection ? Value::bytes_of(connection->bytes()) : Value();
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
  ASSIGN_OR_RETURN(const std::string sealed, seals_.seal(operation.tenant, context_of(hash, until), bytes, deadline));
  const auto work = [&](records::Session& session) -> Status {
    RETURN_IF_ERROR(session.execute("DELETE FROM permits WHERE until <= $1", {now - permit_kept}, deadline));
    RETURN_IF_ERROR(
        session.execute("INSERT INTO permits (operation, tenant, until, sealed, connection) VALUES ($1, $2, $3, $4, $5)",
                        {Value::bytes_of(hash), Value::bytes_of(operation.tenant.bytes()), until, Value::bytes_of(sealed),
                         connection_of(operation)},
                        deadline));
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
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query("SELECT tenant, until, sealed FROM permits WHERE operation = $1 AND until > $2 AND withdrawn <= $3",
                     {Value::bytes_of(hash), clock_.now() - (is_now ? 0 : permit_kept), is_now ? 0 : 1}, deadline));
  const std::string what = "nothing of that name was allowed, it waits for a second person, or it counts no more";
  if (rows.empty()) return Error{ErrorKind::not_found, what, what};
  const Id tenant = Id::from_bytes(rows[0][0].bytes());
  ASSIGN_OR_RETURN(const std::string bytes,
                   seals_.unseal(tenant, context_of(hash, rows[0][1].number()), rows[0][2].bytes(), deadline));
  ASSIGN_OR_RETURN(access::Operation operation, access::parse_operation(bytes));
  // The seal says that brokerd wrote it there; the hash that it is this one.
  if (operation.tenant != tenant || crypto::sha256(bytes) != hash) return Error{ErrorKind::corrupt, "a permit is another one"};
  return operation;
}

Status PermitBook::withdraw(Id connection, const Deadline& deadline) {
  RETURN_IF_ERROR(records_.execute("UPDATE permits SET withdrawn = 1 WHERE connection = $1",
                                   {Value::bytes_of(connection.bytes())}, deadline));
  return done();
}

}  // namespace mailhold::broker
