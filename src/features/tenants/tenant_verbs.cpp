#include "features/tenants/tenant_verbs.h"

#include <boost/json.hpp>

#include "base/text.h"

namespace mailhold::tenants {
namespace {

namespace json = boost::json;

constexpr std::pair<std::string_view, gateway::Action> actions[] = {
    {"deliver", gateway::Action::deliver}, {"hold", gateway::Action::hold}, {"reject", gateway::Action::reject}};

std::string_view name_of_action(gateway::Action action) {
  for (const auto& [name, each] : actions) {
    if (each == action) return name;
  }
  return "?";
}

Result<std::string> text(const json::object& request, std::string_view name) {
  const json::value* found = request.if_contains(name);
  if (found == nullptr || !found->is_string() || found->as_string().empty())
    return Error{ErrorKind::invalid_input, "the request needs " + std::string(name)};
  return std::string(found->as_string());
}

std::vector<std::string> list(const json::object& request, std::string_view name) {
  std::vector<std::string> items;
  const json::value* found = request.if_contains(name);
  if (found == nullptr || !found->is_array()) return items;
  for (const auto& item : found->as_array()) {
    if (item.is_string()) items.push_back(to_lower(std::string_view(item.as_string())));
  }
  return items;
}

json::array array_of(const std::vector<std::string>& items) {
  json::array array;
  for (const auto& item : items) array.emplace_back(item);
  return array;
}

json::object object_of(const TenantEntry& entry) {
  const gateway::Tenant& tenant = entry.tenant;
  const gateway::Policy& policy = tenant.policy;
  json::array domains;
  for (const auto& domain : tenant.domains) {
    domains.push_back(
        {{"domain", domain.name}, {"any_recipient", domain.any_recipient}, {"recipients", array_of(domain.recipients)}});
  }
  return {{"tenant", tenant.id.text()},
          {"name", tenant.name},
          {"suspended", tenant.suspended},
          {"link_base", tenant.link_base},
          {"policy",
           {{"scan", policy.scan == gateway::ScanMode::full ? "full" : "none"},
            {"rewrite_links", policy.rewrite_links},
            {"virus", name_of_action(policy.virus)},
            {"dmarc_reject", name_of_action(policy.dmarc_reject)},
            {"malformed", name_of_action(policy.malformed)},
            {"blocked_type", name_of_action(policy.blocked_type)},
            {"unscannable", name_of_action(policy.unscannable)},
            {"blocked_types", array_of(policy.blocked_types)}}},
          {"limits",
           {{"message_bytes_max", tenant.limits.message_bytes_max},
            {"recipients_max", tenant.limits.recipients_max},
            {"connections_max", tenant.limits.connections_max}}},
          {"links", {{"allow", array_of(entry.link_allow)}, {"deny", array_of(entry.link_deny)}}},
          {"domains", domains}};
}

// "scan=none", "virus=reject", "blocked_types=exe,js", "message_bytes_max=1000000"
Status set_one(TenantEntry& entry, const std::string& name, const std::string& value) {
  gateway::Policy& policy = entry.tenant.policy;
  gateway::TenantLimits& limits = entry.tenant.limits;
  const auto wrong = [&](const std::string& right) -> Status {
    return Error{ErrorKind::invalid_input, name + " must be " + right};
  };
  for (auto [each, action] : {std::pair<const char*, gateway::Action*>{"virus", &policy.virus},
                              {"dmarc_reject", &policy.dmarc_reject},
                              {"malformed", &policy.malformed},
                              {"blocked_type", &policy.blocked_type},
                              {"unscannable", &policy.unscannable}}) {
    if (name != each) continue;
    for (const auto& [action_name, chosen] : actions) {
      if (action_name == value) {
        *action = chosen;
        return done();
      }
    }
    return wrong("deliver, hold or reject");
  }
  if (name == "scan") {
    if (value != "full" && value != "none") return wrong("full or none");
    policy.scan = value == "full" ? gateway::ScanMode::full : gateway::ScanMode::none;
  } else if (name == "rewrite_links") {
    if (value != "true" && value != "false") return wrong("true or false");
    policy.rewrite_links = value == "true";
  } else if (name == "blocked_types") {
    policy.blocked_types.clear();
    for (const auto type : split(value, ',')) {
      if (!trim(type).empty()) policy.blocked_types.push_back(to_lower(trim(type)));
    }
  } else if (name == "link_base") {
    if (!value.starts_with("https://") && !value.starts_with("http://"))
      return wrong("an http or https address without a slash at the end");
    entry.tenant.link_base = value;
  } else {
    const auto number = to_number(value);
    if (name != "message_bytes_max" && name != "recipients_max" && name != "connections_max") {
      return Error{ErrorKind::invalid_input, "a tenant has no " + name + "; `mailhold tenant show` lists what can be set"};
    }
    if (!number || *number > 0xffffffffULL) return wrong("a number; 0 means the gateway's own setting");
    if (name == "message_bytes_max") limits.message_bytes_max = *number;
    if (name == "recipients_max") limits.recipients_max = static_cast<std::uint32_t>(*number);
    if (name == "connections_max") limits.connections_max = static_cast<std::uint32_t>(*number);
  }
  return done();
}

Status check_domain(const std::string& domain) {
  if (domain.size() > 253 || domain.find('.') == std::string::npos || domain.find_first_of(" @/\\:\"<>") != std::string::npos) {
    return Error{ErrorKind::invalid_input, "a domain is a name such as example.com, in its ASCII form"};
  }
  return done();
}

// The local parts of addresses or local parts; an address of another domain is a mistake to point out.
Result<std::vector<std::string>> local_parts(const std::vector<std::string>& recipients, const std::string& domain) {
  std::vector<std::string> parts;
  for (const auto& recipient : recipients) {
    const std::size_t at = recipient.rfind('@');
    if (at != std::string::npos && recipient.substr(at + 1) != domain)
      return Error{ErrorKind::invalid_input, "a recipient given is not in the domain"};
    parts.push_back(recipient.substr(0, at));
  }
  return parts;
}

gateway::Domain* find_domain(TenantEntry& entry, const std::string& name) {
  for (auto& domain : entry.tenant.domains) {
    if (domain.name == name) return &domain;
  }
  return nullptr;
}

// The change that a verb asks for.
Result<TenantBook::Change> change_for(const std::string& verb, const json::object& request) {
  if (verb == "tenant.suspend" || verb == "tenant.resume") {
    return TenantBook::Change([suspended = verb == "tenant.suspend"](TenantEntry& entry) {
      entry.tenant.suspended = suspended;
      return done();
    });
  }
  if (verb == "tenant.set") {
    ASSIGN_OR_RETURN(const std::string name, text(request, "name"));
    const json::value* given = request.if_contains("value");
    const std::string value = given != nullptr && given->is_string() ? std::string(given->as_string()) : "";
    return TenantBook::Change([=](TenantEntry& entry) { return set_one(entry, name, value); });
  }
  if (verb == "link.allow" || verb == "link.deny" || verb == "link.forget") {
    ASSIGN_OR_RETURN(const std::string rule, text(request, "rule"));
    return TenantBook::Change([=](TenantEntry& entry) -> Status {
      std::erase(entry.link_allow, rule);
      std::erase(entry.link_deny, rule);
      if (verb == "link.allow") entry.link_allow.push_back(rule);
      if (verb == "link.deny") entry.link_deny.push_back(rule);
      return done();
    });
  }
  ASSIGN_OR_RETURN(const std::string given, text(request, "domain"));
  const std::string domain = to_lower(given);
  RETURN_IF_ERROR(check_domain(domain));
  ASSIGN_OR_RETURN(const std::vector<std::string> recipients, local_parts(list(request, "recipients"), domain));
  const json::value* any = request.if_contains("any_recipient");
  const bool any_recipient = any != nullptr && any->is_bool() && any->as_bool();
  if (verb == "domain.add") {
    return TenantBook::Change([=](TenantEntry& entry) -> Status {
      if (find_domain(entry, domain) != nullptr) return Error{ErrorKind::already_exists, "the tenant has this domain"};
      entry.tenant.domains.push_back({domain, any_recipient, recipients});
      return done();
    });
  }
  if (verb == "domain.remove") {
    return TenantBook::Change([=](TenantEntry& entry) -> Status {
      if (std::erase_if(entry.tenant.domains, [&](const auto& each) { return each.name == domain; }) == 0)
        return Error{ErrorKind::not_found, "the tenant has no such domain"};
      return done();
    });
  }
  const bool adds = verb == "domain.add-recipients";
  return TenantBook::Change([=](TenantEntry& entry) -> Status {
    gateway::Domain* found = find_domain(entry, domain);
    if (found == nullptr) return Error{ErrorKind::not_found, "the tenant has no such domain"};
    for (const auto& recipient : recipients) {
      std::erase(found->recipients, recipient);
      if (adds) found->recipients.push_back(recipient);
    }
    return done();
  });
}

constexpr std::string_view verbs[] = {"tenant.add",
                                      "tenant.list",
                                      "tenant.show",
                                      "tenant.set",
                                      "tenant.suspend",
                                      "tenant.resume",
                                      "tenant.remove",
                                      "domain.add",
                                      "domain.remove",
                                      "domain.add-recipients",
                                      "domain.remove-recipients",
                                      "link.allow",
                                      "link.deny",
                                      "link.forget"};

}  // namespace

bool TenantVerbs::knows(std::string_view verb) { return std::find(std::begin(verbs), std::end(verbs), verb) != std::end(verbs); }

Result<std::string> TenantVerbs::answer(std::string_view request_text, const Deadline& deadline) {
  boost::system::error_code error;
  const json::value parsed = json::parse(request_text, error);
  if (error || !parsed.is_object()) return Error{ErrorKind::invalid_input, "the request is no JSON object"};
  const json::object& request = parsed.as_object();
  ASSIGN_OR_RETURN(const std::string verb, text(request, "verb"));
  if (!knows(verb)) return Error{ErrorKind::not_found, "there is no verb " + verb};
  if (verb == "tenant.list") {
    ASSIGN_OR_RETURN(const auto entries, book_.list(deadline));
    json::array tenants;
    for (const auto& entry : entries) tenants.push_back(object_of(entry));
    return json::serialize(json::object{{"tenants", tenants}});
  }
  if (verb == "tenant.add") {
    ASSIGN_OR_RETURN(const std::string name, text(request, "name"));
    ASSIGN_OR_RETURN(const Id id, book_.add(name, deadline));
    RETURN_IF_ERROR(record_(id, verb, deadline));
    return json::serialize(json::object{{"tenant", id.text()}, {"name", name}});
  }
  ASSIGN_OR_RETURN(const std::string given, text(request, "tenant"));
  ASSIGN_OR_RETURN(const Id tenant, book_.find(given, deadline));
  if (verb == "tenant.remove") {
    const auto confirmed = text(request, "confirm");
    if (!confirmed || *confirmed != given)
      return Error{ErrorKind::invalid_input, "removing a tenant can't be undone: give its name once more as --confirm"};
    RETURN_IF_ERROR(record_(tenant, verb, deadline));
    RETURN_IF_ERROR(book_.remove(tenant, deadline));
    return json::serialize(json::object{{"tenant", tenant.text()}, {"removed", true}});
  }
  if (verb != "tenant.show") {
    ASSIGN_OR_RETURN(const TenantBook::Change change, change_for(verb, request));
    RETURN_IF_ERROR(record_(tenant, verb, deadline));
    RETURN_IF_ERROR(book_.change(tenant, change, deadline));
  }
  ASSIGN_OR_RETURN(const auto entries, book_.list(deadline));
  for (const auto& entry : entries) {
    if (entry.tenant.id == tenant) return json::serialize(object_of(entry));
  }
  return Error{ErrorKind::not_found, "no such tenant"};
}

}  // namespace mailhold::tenants
