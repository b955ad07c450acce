#include "core/access/approval.h"

#include <algorithm>

namespace mailhold::access {
namespace {

using records::Value;

const records::Schema schema{"approvals",
                             {"CREATE TABLE proposal (hash bytea PRIMARY KEY, tenant bytea NOT NULL, signer bytea NOT NULL, at "
                              "bigint NOT NULL, sealed bytea NOT NULL)"}};

}  // namespace

bool has_second_person(const std::vector<Person>& people, const Operation& operation) {
  return std::any_of(people.begin(), people.end(), [&](const Person& person) {
    return person.id != operation.signer && (person.role == Role::operator_ || person.tenant == operation.tenant);
  });
}

Result<std::unique_ptr<Approvals>> Approvals::open(records::Records& records, const Clock& clock, const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<Approvals>(new Approvals(records, clock));
}

Status Approvals::propose(const Proposal& proposal, const Deadline& deadline) {
  RETURN_IF_ERROR(records_.execute("DELETE FROM proposal WHERE at < $1", {Value(clock_.now() - approval_life)}, deadline));
  RETURN_IF_ERROR(
      records_.execute("INSERT INTO proposal (hash, tenant, signer, at, sealed) VALUES ($1, $2, $3, $4, $5)",
                       {Value::bytes_of(proposal.hash), Value::bytes_of(proposal.tenant.bytes()),
                        Value::bytes_of(proposal.signer.bytes()), Value(proposal.at), Value::bytes_of(proposal.sealed)},
                       deadline));
  return done();
}

Result<std::vector<Proposal>> Approvals::list(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT hash, tenant, signer, at, sealed FROM proposal WHERE at >= $1 ORDER BY at",
                                  {Value(clock_.now() - approval_life)}, deadline));
  std::vector<Proposal> proposals;
  for (const auto& row : rows)
    proposals.push_back(
        {row[0].bytes(), Id::from_bytes(row[1].bytes()), Id::from_bytes(row[2].bytes()), row[3].number(), row[4].bytes()});
  return proposals;
}

Result<Proposal> Approvals::take(Id tenant, const std::string& hash, Id approver, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, list(deadline));
  for (const Proposal& proposal : proposals) {
    if (proposal.hash != hash || proposal.tenant != tenant) continue;
    if (proposal.signer == approver)
      return Error{ErrorKind::denied, "the second signature must be another person's",
                   "the second signature must be another person's"};
    ASSIGN_OR_RETURN(const std::uint64_t removed,
                     records_.execute("DELETE FROM proposal WHERE hash = $1", {Value::bytes_of(hash)}, deadline));
    if (removed == 1) return proposal;
  }
  return Error{ErrorKind::not_found, "no such operation waits for a second signature"};
}

}  // namespace mailhold::access
