// tenant, domain, link.
#include "programs/mailhold/console.h"

namespace mailhold::cli {

std::vector<Command> tenant_commands() {
  const Option tenant{"tenant", "Name or id of the tenant", true, Form::position};
  const Option domain{"domain", "A domain in its ASCII form", true, Form::position};
  const Option recipients{"recipients", "Addresses or local parts", true, Form::values};
  const Option rule{"rule", "A host, *.domain or the beginning of an address", true, Form::position};
  return {
      {"tenant",
       "add",
       "Make a tenant with keys of its own",
       {{"name", "What you call it", true, Form::position}},
       "mailhold tenant add example",
       {}},
      {"tenant", "list", "Show all tenants", {}, "", {}},
      {"tenant", "show", "Show a tenant's domains, policy, limits and link lists", {tenant}, "", {}},
      {"tenant",
       "set",
       "Change one thing of a tenant: scan, rewrite_links, virus, dmarc_reject, malformed, blocked_type, unscannable, "
       "blocked_types, link_base, message_bytes_max, recipients_max, connections_max",
       {tenant, {"name", "What to change", true, Form::position}, {"value", "The new value", true, Form::position}},
       "mailhold tenant set example dmarc_reject reject",
       {}},
      {"tenant", "suspend", "Answer 451 for a tenant's recipients until it is resumed", {tenant}, "", {}},
      {"tenant",
       "remove",
       "Destroy all keys of a tenant: nothing of it can ever be read again",
       {tenant, {"confirm", "The tenant's name once more", true}},
       "mailhold tenant remove example --confirm example",
       {}},
      {"tenant", "resume", "Accept a suspended tenant's mail again", {tenant}, "", {}},
      {"domain",
       "add",
       "Take mail for a domain of a tenant",
       {tenant,
        domain,
        {"any-recipient", "Recipients are not known here and not checked", false, Form::flag},
        {"recipients", "Addresses or local parts", false, Form::values}},
       "mailhold domain add example example.com --recipients alice bob",
       {}},
      {"domain", "remove", "Take no more mail for a domain", {tenant, domain}, "", {}},
      {"domain", "add-recipients", "Take mail for more recipients", {tenant, domain, recipients}, "", {}},
      {"domain", "remove-recipients", "Take no more mail for these recipients", {tenant, domain, recipients}, "", {}},
      {"link",
       "allow",
       "Let clicks on matching links through without a check",
       {tenant, rule},
       "mailhold link allow example '*.example.com'",
       {}},
      {"link", "deny", "Block clicks on matching links", {tenant, rule}, "mailhold link deny example evil.example", {}},
      {"link", "forget", "Take a rule off both lists", {tenant, rule}, "", {}},
      {"link",
       "check",
       "Show what a click on an address would lead to, and why",
       {{"tenant", "Name or id of the tenant", true, Form::position}, {"url", "The address", true, Form::position}},
       "",
       {}},
      {"link",
       "open",
       "Show the address behind a rewritten link",
       {{"link", "The rewritten link", true, Form::position}},
       "",
       {}},
      {"link", "reload", "Read the indicator file again", {}, "", {}},
  };
}

}  // namespace mailhold::cli
