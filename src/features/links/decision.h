// decide: whether a click may go on. The stronger answer wins: the tenant's deny list and the
// indicator file block; then the tenant's allow list lets through; then look-alikes, IP
// addresses and hidden names warn; all else goes on. It visits nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "features/links/indicators.h"
#include "features/links/link_policy.h"
#include "formats/url/look_alike.h"
#include "formats/url/url.h"

namespace mailhold::links {

enum class Decision { allow, warn, block };

// A closed list; the names stand in the answer of link.check.
enum class ClickReason {
  allowed_by_tenant,
  denied_by_tenant,
  listed,     // in the indicator file
  homograph,  // of the tenant's own domains, as url::LookAlike
  typo,
  embedded,
  international,  // letters that pretend to be others
  ip_address,
  userinfo,    // "https://bank.example@evil.example/"
  unreadable,  // no address that we can read
};

struct ClickDecision {
  Decision decision = Decision::allow;
  std::vector<ClickReason> reasons;
  std::string resembled;  // the tenant's domain, for homograph, typo and embedded
};

// A tenant's policy made ready for many clicks.
struct ClickRules {
  std::string name;  // of the tenant
  url::OwnDomains domains;
  RuleSet allow;
  RuleSet deny;

  static ClickRules from(const LinkPolicy& policy);  // entries that are no rules are left out
};

ClickDecision decide(const url::Url& url, const ClickRules& rules, const RuleSet& indicators);

std::string_view name_of(Decision decision);   // "allow"
std::string_view name_of(ClickReason reason);  // "ip_address"

}  // namespace mailhold::links
