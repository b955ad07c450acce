#include "core/evidence/witness_policy.h"

#include <set>

namespace mailhold::ledger {

Status WitnessPolicy::check() const {
  std::set<std::string> seen;
  for (const tlog::CosignerKey& witness : witnesses) {
    if (!seen.insert(witness.name).second || !seen.insert(witness.public_key).second)
      return Error{ErrorKind::invalid_input, "witness " + witness.name + " stands there twice"};
  }
  if (witnesses.size() > witnesses_max) return Error{ErrorKind::invalid_input, "more than 16 witnesses"};
  if (needed > witnesses.size()) return Error{ErrorKind::invalid_input, "more cosignatures are needed than there are witnesses"};
  return done();
}

std::vector<Cosigned> cosigners_of(const tlog::SignedNote& note, const WitnessPolicy& policy) {
  std::vector<Cosigned> cosigners;
  for (const tlog::CosignerKey& witness : policy.witnesses) {
    if (const auto seconds = tlog::verify_cosignature(note, witness)) cosigners.push_back({witness.name, *seconds});
  }
  return cosigners;
}

Status check_cosignatures(std::string_view bytes, const WitnessPolicy& policy) {
  ASSIGN_OR_RETURN(const tlog::SignedNote note, tlog::SignedNote::parse(bytes));
  const auto cosigners = cosigners_of(note, policy);
  if (cosigners.size() >= policy.needed) return done();
  std::string missing;
  for (const tlog::CosignerKey& witness : policy.witnesses) {
    bool found = false;
    for (const Cosigned& one : cosigners) found = found || one.witness == witness.name;
    if (!found) missing += (missing.empty() ? "" : ", ") + witness.name;
  }
  return Error{ErrorKind::denied, "cosigned by " + std::to_string(cosigners.size()) + " of the " + std::to_string(policy.needed) +
                                      " witnesses that are needed; missing: " + missing};
}

}  // namespace mailhold::ledger
