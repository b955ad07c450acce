#include "features/links/decision.h"

namespace mailhold::links {
namespace {

void note_look_alike(const url::Url& url, const ClickRules& rules, ClickDecision& decision) {
  const url::Resemblance found = rules.domains.resembled_by(url.host);
  switch (found.kind) {
    case url::LookAlike::none: return;
    case url::LookAlike::homograph: decision.reasons.push_back(ClickReason::homograph); break;
    case url::LookAlike::typo: decision.reasons.push_back(ClickReason::typo); break;
    case url::LookAlike::embedded: decision.reasons.push_back(ClickReason::embedded); break;
  }
  decision.resembled = found.domain;
}

}  // namespace

ClickRules ClickRules::from(const LinkPolicy& policy) {
  ClickRules rules;
  rules.name = policy.name;
  rules.domains = url::OwnDomains(policy.domains);
  for (const std::string& rule : policy.allow) rules.allow.add(rule);
  for (const std::string& rule : policy.deny) rules.deny.add(rule);
  return rules;
}

ClickDecision decide(const url::Url& url, const ClickRules& rules, const RuleSet& indicators) {
  if (rules.deny.matches(url)) return {Decision::block, {ClickReason::denied_by_tenant}, {}};
  if (indicators.matches(url)) return {Decision::block, {ClickReason::listed}, {}};
  if (rules.allow.matches(url)) return {Decision::allow, {ClickReason::allowed_by_tenant}, {}};
  ClickDecision decision;
  if (url.host_kind == url::HostKind::domain) {
    note_look_alike(url, rules, decision);
    if (url::is_disguised(url.host)) decision.reasons.push_back(ClickReason::international);
  } else {
    decision.reasons.push_back(ClickReason::ip_address);
  }
  if (url.has_userinfo()) decision.reasons.push_back(ClickReason::userinfo);
  if (!decision.reasons.empty()) decision.decision = Decision::warn;
  return decision;
}

std::string_view name_of(Decision decision) {
  switch (decision) {
    case Decision::allow: return "allow";
    case Decision::warn: return "warn";
    case Decision::block: return "block";
  }
  return {};
}

std::string_view name_of(ClickReason reason) {
  switch (reason) {
    case ClickReason::allowed_by_tenant: return "allowed_by_tenant";
    case ClickReason::denied_by_tenant: return "denied_by_tenant";
    case ClickReason::listed: return "listed";
    case ClickReason::homograph: return "homograph";
    case ClickReason::typo: return "typo";
    case ClickReason::embedded: return "embedded";
    case ClickReason::international: return "international";
    case ClickReason::ip_address: return "ip_address";
    case ClickReason::userinfo: return "userinfo";
    case ClickReason::unreadable: return "unreadable";
  }
  return {};
}

}  // namespace mailhold::links
