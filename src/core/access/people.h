// People: who may sign operations, and what. A person is an id, a role and an Ed25519 public key; no name
// or address is kept here. Operators act for the region and every tenant; a tenant's administrators for that tenant.
//
// People lives in brokerd's records, beside what the operations change. Any thread.
#pragma once

#include <vector>

#include "core/access/operation.h"
#include "platform/records/records.h"

namespace mailhold::access {

enum class Role : std::uint8_t { operator_ = 1, administrator = 2 };
std::string_view name_of(Role role);  // "operator", "administrator"

struct Person {
  Id id;
  Role role = Role::operator_;
  Id tenant;               // region_tenant() for operators
  std::string public_key;  // 32 bytes
  Milliseconds since = 0;
};

// Whether the person's role covers the operation: an operator's all, an administrator's those of the own tenant but for changes
// of people.
bool may_sign(const Person& person, const Operation& operation);

class People {
 public:
  // Makes its tables. The records must outlive it.
  static Result<std::unique_ptr<People>> open(records::Records& records, const Clock& clock, const Deadline& deadline);

  Result<std::vector<Person>> list(const Deadline& deadline);

  // The operation, if its signer may make it now. denied says why not: unknown person, wrong signature, too old,
  // used before, not of this tenant. An operation that passes is used up, also if carrying it out fails later.
  // The very first person.add, of an operator and signed by that operator's own key, needs nobody else.
  Result<Operation> verify(const SignedOperation& signed_operation, const Deadline& deadline);

  Status add(const Person& person, const Deadline& deadline);  // already_exists
  Status remove(Id person, const Deadline& deadline);          // not_found; denied for the last operator

  static Result<Person> person_of(const Operation& operation);  // from the arguments of person.add

 private:
  People(records::Records& records, const Clock& clock) : records_(records), clock_(clock) {}
  Status use_up(const Operation& operation, const Deadline& deadline);

  records::Records& records_;
  const Clock& clock_;
};

}  // namespace mailhold::access
