// LinkPolicy: what a tenant decides about clicks, and the snapshot of all tenants that apid
// gives to linkd.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace mailhold::links {

// A rule is "host", "*.domain" (the domain and everything below it) or the beginning of a URL with its scheme.
struct LinkPolicy {
  std::string name;                  // as the operator calls the tenant: only to find it by
  std::vector<std::string> domains;  // the tenant's own, ASCII, lower case
  std::vector<std::string> allow;    // rules: goes on without any further check
  std::vector<std::string> deny;     // rules: blocked; stronger than allow
};

struct LinkPolicies {
  std::unordered_map<Id, LinkPolicy> tenants;
};

inline constexpr std::size_t rules_max = 10'000;  // for each list of a tenant

// The snapshot as bytes: u8 1, u32 tenants, each: id 16, name, three lists of text.
std::string encode(const LinkPolicies& policies);
Result<LinkPolicies> parse_policies(std::string_view bytes);  // corrupt; limit_exceeded

}  // namespace mailhold::links
