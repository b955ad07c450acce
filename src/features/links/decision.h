// decide: whether a click may go on. The stronger answer wins: the tenant's deny list and the
// indicator file block; then the tenant's allow list lets through; then look-alikes, IP
// addresses and hidden names warn; all else goes on. It visits nothing.
#pragma once

#include <string_view>
#include <vector>

#include "features/links/indicators.h"
#include "features/links/link_policy.h"
#include "formats/url/url.h"

namespace mailhold::links {

enum class Decision { allow, warn, block };

// A closed list; the names stand in events and in the answer of link.check.
enum class ClickReason { allowed_by_tenant, denied_by_tenant, listed, homograph, typo, embedded, international, ip_address, userinfo };

struct ClickDecision {
  Decision decision = Decision::allow;
  std::vector<ClickReason> reasons;
  std::string resembled;  // the tenant's domain, for homograph, typo and embedded
};

ClickDecision decide(const url::Url& url, const LinkPolicy& policy, const RuleSet& indicators);

std::string_view name_of(Decision decision);    // "allow"
std::string_view name_of(ClickReason reason);   // "ip_address"

}  // namespace mailhold::links
