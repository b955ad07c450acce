#include "features/gateway/policy.h"

#include <gtest/gtest.h>

namespace mailhold::gateway {
namespace {

scanning::ScanResult finding(void (*set)(scanning::Findings&)) {
  scanning::ScanResult scan;
  set(scan.findings);
  return scan;
}

TEST(Policy, a_clean_message_is_delivered) {
  scanning::ScanResult scan;
  scan.reasons = {{"spf.pass", "ok"}};
  const Decision decision = decide(Policy{}, scan);
  EXPECT_EQ(decision.outcome, Outcome::deliver);
  EXPECT_TRUE(decision.decided_by.empty());
  EXPECT_EQ(decision.reasons.size(), 1u);
}

struct Rule {
  const char* code;
  void (*set)(scanning::Findings&);
  Action Policy::* action;
  int code_when_rejected;
};

TEST(Policy, each_rule_does_what_the_tenant_says) {
  const Rule rules[] = {
      {"virus", [](scanning::Findings& f) { f.virus = "Eicar"; }, &Policy::virus, 550},
      {"dmarc_reject", [](scanning::Findings& f) { f.dmarc_reject = true; }, &Policy::dmarc_reject, 550},
      {"blocked_type", [](scanning::Findings& f) { f.blocked_type = "application/x-dosexec"; }, &Policy::blocked_type, 550},
      {"malformed", [](scanning::Findings& f) { f.malformed = true; }, &Policy::malformed, 550},
      {"unscannable", [](scanning::Findings& f) { f.unscannable = true; }, &Policy::unscannable, 550},
  };
  for (const Rule& rule : rules) {
    const scanning::ScanResult scan = finding(rule.set);
    EXPECT_EQ(decide(Policy{}, scan).outcome, Outcome::hold) << rule.code << " is held by default";
    EXPECT_EQ(decide(Policy{}, scan).decided_by, rule.code);
    Policy policy;
    policy.*rule.action = Action::reject;
    EXPECT_EQ(decide(policy, scan).outcome, Outcome::reject) << rule.code;
    EXPECT_EQ(decide(policy, scan).refusal.code, rule.code_when_rejected);
    policy.*rule.action = Action::deliver;
    const Decision decision = decide(policy, scan);
    EXPECT_EQ(decision.outcome, Outcome::deliver) << rule.code;
    EXPECT_EQ(decision.reasons.at(0).code, rule.code) << "the reason stays in the trace";
  }
}

TEST(Policy, a_missing_virus_scan_is_our_fault_and_beats_holding) {
  scanning::ScanResult scan;
  scan.findings.virus_scan_missing = true;
  scan.findings.malformed = true;
  const Decision decision = decide(Policy{}, scan);
  EXPECT_EQ(decision.outcome, Outcome::tempfail);
  EXPECT_EQ(decision.refusal.code, 451);
}

TEST(Policy, rejection_beats_everything) {
  scanning::ScanResult scan;
  scan.findings.virus = "Eicar";
  scan.findings.dmarc_reject = true;
  scan.findings.virus_scan_missing = true;
  Policy policy;
  policy.dmarc_reject = Action::reject;
  EXPECT_EQ(decide(policy, scan).outcome, Outcome::reject);
  EXPECT_EQ(decide(policy, scan).decided_by, "dmarc_reject");
  EXPECT_EQ(decide(policy, scan).reasons.size(), 3u);
}

TEST(Policy, the_tenants_list_of_types_matches_names_and_types) {
  Policy policy;
  policy.blocked_types = {"exe", "application/zip"};
  scanning::ScanResult scan;
  scan.facts.attachments = {{"report.EXE", "application/octet-stream", 1, ""}};
  EXPECT_EQ(decide(policy, scan).decided_by, "blocked_type");
  scan.facts.attachments = {{"a.txt", "application/zip", 1, ""}};
  EXPECT_EQ(decide(policy, scan).decided_by, "blocked_type");
  scan.facts.attachments = {{"exe", "text/plain", 1, ""}, {"notexe", "text/plain", 1, ""}};
  EXPECT_EQ(decide(policy, scan).outcome, Outcome::deliver);
}

}  // namespace
}  // namespace mailhold::gateway
