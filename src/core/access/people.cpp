#include "core/access/people.h"

#include "base/text.h"

namespace mailhold::access {
namespace {

using records::Value;

const records::Schema schema{"people",
                             {"CREATE TABLE person (id bytea PRIMARY KEY, role bigint NOT NULL, tenant bytea NOT NULL, "
                              "public_key bytea NOT NULL, since bigint NOT NULL);"
                              "CREATE TABLE operation_used (nonce bytea PRIMARY KEY, at bigint NOT NULL);"}};

Person person_from(const records::Values& row) {
  return {Id::from_bytes(row[0].bytes()), static_cast<Role>(row[1].number()), Id::from_bytes(row[2].bytes()), row[3].bytes(),
          row[4].number()};
}

// Changes of people, and whatever else belongs to no single tenant, are for operators.
bool is_for_operators(const Operation& operation) {
  return operation.type.starts_with("person.") || operation.type.starts_with("tenant.") || operation.tenant == region_tenant();
}

Error denied(const std::string& why) { return {ErrorKind::denied, why, why}; }

}  // namespace

bool may_sign(const Person& person, const Operation& operation) {
  return person.role == Role::operator_ || (!is_for_operators(operation) && person.tenant == operation.tenant);
}

std::string_view name_of(Role role) { return role == Role::operator_ ? "operator" : "administrator"; }

Result<std::unique_ptr<People>> People::open(records::Records& records, const Clock& clock, const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<People>(new People(records, clock));
}

Result<std::vector<Person>> People::list(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT id, role, tenant, public_key, since FROM person ORDER BY since, id", {}, deadline));
  std::vector<Person> people;
  people.reserve(rows.size());
  for (const auto& row : rows) people.push_back(person_from(row));
  return people;
}

Result<Person> People::person_of(const Operation& operation) {
  Person person;
  ASSIGN_OR_RETURN(const std::string id, operation.argument("person"));
  ASSIGN_OR_RETURN(person.id, Id::parse(id));
  ASSIGN_OR_RETURN(const std::string key, operation.argument("public_key"));
  const auto bytes = from_base64(key);
  if (!bytes || bytes->size() != crypto::ed25519_public_key_size)
    return Error{ErrorKind::invalid_input, "public_key must be 32 bytes in base64"};
  person.public_key = *bytes;
  ASSIGN_OR_RETURN(const std::string role, operation.argument("role"));
  if (role != "operator" && role != "administrator")
    return Error{ErrorKind::invalid_input, "role must be operator or administrator"};
  person.role = role == "operator" ? Role::operator_ : Role::administrator;
  if ((person.role == Role::operator_) != (operation.tenant == region_tenant())) {
    return Error{ErrorKind::invalid_input, "an administrator belongs to a tenant, an operator to none"};
  }
  person.tenant = operation.tenant;
  person.since = operation.at;
  return person;
}

Result<Operation> People::verify(const SignedOperation& signed_operation, const Deadline& deadline) {
  ASSIGN_OR_RETURN(Operation operation, parse_operation(signed_operation.bytes));
  const Milliseconds age = clock_.now() - operation.at;
  if (age > operation_life || age < -operation_life)
    return denied("the operation is too old or from the future; is the clock right?");
  ASSIGN_OR_RETURN(const std::vector<Person> people, list(deadline));
  const Person* signer = nullptr;
  for (const Person& person : people) {
    if (person.id == operation.signer) signer = &person;
  }
  Person first;
  if (people.empty() && operation.type == "person.add") {
    ASSIGN_OR_RETURN(first, person_of(operation));
    if (first.role == Role::operator_ && first.id == operation.signer) signer = &first;
  }
  if (signer == nullptr) return denied("the signer is not known here: an operator adds a person with `mailhold person add`");
  if (!crypto::ed25519_verify(signer->public_key, signed_bytes(signed_operation.bytes), signed_operation.signature)) {
    return denied("the signature is not that of the signer");
  }
  if (!may_sign(*signer, operation)) return denied("the signer may not do that");
  RETURN_IF_ERROR(use_up(operation, deadline));
  return operation;
}

Status People::use_up(const Operation& operation, const Deadline& deadline) {
  // Nonces are kept twice as long as an operation can count.
  RETURN_IF_ERROR(
      records_.execute("DELETE FROM operation_used WHERE at < $1", {Value(clock_.now() - 2 * operation_life)}, deadline));
  const auto used = records_.execute("INSERT INTO operation_used (nonce, at) VALUES ($1, $2)",
                                     {Value::bytes_of(operation.nonce.bytes()), Value(operation.at)}, deadline);
  if (!used && used.error().kind == ErrorKind::already_exists) return denied("the operation was used before");
  if (!used) return used.error();
  return done();
}

Status People::add(const Person& person, const Deadline& deadline) {
  RETURN_IF_ERROR(
      records_.execute("INSERT INTO person (id, role, tenant, public_key, since) VALUES ($1, $2, $3, $4, $5)",
                       {Value::bytes_of(person.id.bytes()), Value(static_cast<int>(person.role)),
                        Value::bytes_of(person.tenant.bytes()), Value::bytes_of(person.public_key), Value(person.since)},
                       deadline));
  return done();
}

Status People::remove(Id person, const Deadline& deadline) {
  return records_.transaction(
      [&](records::Session& session) -> Status {
        ASSIGN_OR_RETURN(const std::uint64_t removed,
                         session.execute("DELETE FROM person WHERE id = $1", {Value::bytes_of(person.bytes())}, deadline));
        if (removed == 0) return Error{ErrorKind::not_found, "no such person"};
        ASSIGN_OR_RETURN(const records::Rows left, session.query("SELECT count(*) FROM person WHERE role = $1",
                                                                 {Value(static_cast<int>(Role::operator_))}, deadline));
        if (left.at(0).at(0).number() == 0)
          return Error{ErrorKind::denied, "the last operator cannot be removed", "the last operator cannot be removed"};
        return done();
      },
      deadline);
}

}  // namespace mailhold::access
