// policy: from what the scan found to what becomes of the message, by the tenant's rules. Pure.
// The strongest outcome wins: reject, then tempfail (a check could not be made), hold, deliver.
#pragma once

#include <string>
#include <vector>

#include "features/gateway/directory.h"
#include "features/gateway/envelope.h"
#include "features/scanning/scan.h"
#include "formats/smtp/smtp_reply.h"

namespace mailhold::gateway {

enum class Outcome : std::uint8_t {
  deliver,
  hold,      // the sender gets 250
  tempfail,  // 451: our own fault
  reject,    // 5xx in the session, while the sender can still be told
};

struct Decision {
  Outcome outcome = Outcome::deliver;
  std::string decided_by;           // code of the rule that decided: "virus"; empty for deliver
  std::vector<ReasonLine> reasons;  // the rules that applied, then what the scan said
  smtp::Reply refusal;              // for tempfail and reject
};

// Codes of rules: virus, virus_scan_missing, dmarc_reject, blocked_type, malformed, unscannable.
Decision decide(const Policy& policy, const scanning::ScanResult& scan);

}  // namespace mailhold::gateway
