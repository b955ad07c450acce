#include "features/gateway/policy.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::gateway {
namespace {

Outcome outcome_of(Action action) {
  switch (action) {
    case Action::deliver: return Outcome::deliver;
    case Action::hold: return Outcome::hold;
    case Action::reject: return Outcome::reject;
  }
  return Outcome::hold;
}

// The first attachment that the tenant's own list forbids, by its type or by the end of its name.
std::string forbidden_attachment(const Policy& policy, const scanning::Facts& facts) {
  for (const scanning::Attachment& attachment : facts.attachments) {
    const std::string type = to_lower(attachment.type);
    const std::string name = to_lower(attachment.name);
    for (const std::string& blocked : policy.blocked_types) {
      const bool by_name = !blocked.empty() && name.size() > blocked.size() && name.ends_with(blocked) &&
                           name[name.size() - blocked.size() - 1] == '.';
      if (type == blocked || by_name) return blocked;
    }
  }
  return {};
}

class Judge {
 public:
  void apply(Outcome outcome, std::string_view code, std::string_view text, smtp::Reply refusal) {
    decision_.reasons.push_back({std::string(code), std::string(text)});
    if (outcome <= decision_.outcome) return;
    decision_.outcome = outcome;
    decision_.decided_by = std::string(code);
    decision_.refusal = std::move(refusal);
  }
  Decision take() { return std::move(decision_); }

 private:
  Decision decision_;
};

}  // namespace

Decision decide(const Policy& policy, const scanning::ScanResult& scan) {
  const scanning::Findings& found = scan.findings;
  Judge judge;
  if (!found.virus.empty()) {
    judge.apply(outcome_of(policy.virus), "virus", found.virus,
                smtp::reply(550, "5.7.1", "message refused: it contains malware"));
  }
  if (found.virus_scan_missing) {
    judge.apply(Outcome::tempfail, "virus_scan_missing", "the virus scanner did not answer",
                smtp::reply(451, "4.3.0", "content cannot be checked now; try again later"));
  }
  if (found.dmarc_reject) {
    judge.apply(
        outcome_of(policy.dmarc_reject), "dmarc_reject", "DMARC failed and the author's domain asks for rejection",
        smtp::reply(550, "5.7.1", "message refused by the DMARC policy of the author's domain"));  // RFC 7489 section 10.3
  }
  std::string blocked = found.blocked_type;
  if (blocked.empty()) blocked = forbidden_attachment(policy, scan.facts);
  if (!blocked.empty()) {
    judge.apply(outcome_of(policy.blocked_type), "blocked_type", blocked,
                smtp::reply(550, "5.7.1", "message refused: an attachment's type is not allowed"));
  }
  if (found.malformed) {
    judge.apply(outcome_of(policy.malformed), "malformed", "readers could see different messages",
                smtp::reply(550, "5.6.0", "message refused: it is malformed"));
  }
  if (found.unscannable) {
    judge.apply(outcome_of(policy.unscannable), "unscannable", "the message could not be read to its end",
                smtp::reply(550, "5.6.0", "message refused: it cannot be scanned"));
  }
  Decision decision = judge.take();
  for (const scanning::Reason& reason : scan.reasons) decision.reasons.push_back({reason.code, reason.text});
  return decision;
}

}  // namespace mailhold::gateway
