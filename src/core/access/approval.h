// Approvals: operations that count only when two people have signed them. The first signature leaves the operation here,
// sealed by its owner; the second person names it by its hash. While nobody else could sign, one is enough: the ledger
// says so.
//
// Lives in brokerd's records. Any thread.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "core/access/people.h"

namespace mailhold::access {

inline constexpr Milliseconds approval_life = 24 * 60 * 60 * 1000;  // how long an operation waits for the second person

// Whether somebody else than the signer may sign for this tenant now.
bool has_second_person(const std::vector<Person>& people, const Operation& operation);

struct Proposal {
  std::string hash;  // SHA-256 of the operation's bytes
  Id tenant;
  Id signer;
  Milliseconds at = 0;
  std::string sealed;  // the operation, sealed by the caller
};

class Approvals {
 public:
  // Makes its table. The records must outlive it.
  static Result<std::unique_ptr<Approvals>> open(records::Records& records, const Clock& clock, const Deadline& deadline);

  Status propose(const Proposal& proposal, const Deadline& deadline);
  Result<std::vector<Proposal>> list(const Deadline& deadline);  // those that still count, oldest first
  // The proposal, used up. not_found: none of this tenant by that hash, or too old. denied: the approver proposed it.
  Result<Proposal> take(Id tenant, const std::string& hash, Id approver, const Deadline& deadline);

 private:
  Approvals(records::Records& records, const Clock& clock) : records_(records), clock_(clock) {}
  records::Records& records_;
  const Clock& clock_;
};

}  // namespace mailhold::access
