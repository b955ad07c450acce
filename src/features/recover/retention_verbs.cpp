#include "features/recover/retention_verbs.h"

#include <boost/json.hpp>

#include <algorithm>

#include "base/text.h"
#include "features/recover/verb_fields.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

constexpr std::uint32_t days_ahead_default = 30;
constexpr Milliseconds milliseconds_in_day = 86'400'000;

std::string date_of(std::uint32_t day) { return to_iso8601(Milliseconds{day} * milliseconds_in_day).substr(0, 10); }
std::string shown_days(std::uint32_t days) { return days == 0 ? "forever" : std::to_string(days); }

using Names = std::map<Id, std::string>;

Result<Names> names_of(BackupBook& book, Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Mailbox> mailboxes, book.mailboxes(deadline));
  Names names;
  for (const Mailbox& mailbox : mailboxes) {
    if (mailbox.tenant == tenant) names[mailbox.id] = shown(mailbox.name);
  }
  return names;
}

void name_mailbox(json::object& one, Id mailbox, const Names& names) {
  if (mailbox.is_none()) return;
  one["mailbox"] = mailbox.text();
  if (const auto found = names.find(mailbox); found != names.end()) one["name"] = found->second;
}

json::object shown_rules(const access::Keeping& keeping, const Names& names) {
  json::array rules;
  for (const access::RetentionRule& rule : keeping.rules) {
    json::object one{{"type", std::string(access::item_type_name(rule.type))}, {"days", shown_days(rule.days)}};
    name_mailbox(one, rule.mailbox, names);
    rules.push_back(std::move(one));
  }
  json::array removals;
  for (const access::Removal& removal : keeping.removals) {
    json::object one{{"ordered_at", to_iso8601(removal.at)}};
    name_mailbox(one, removal.mailbox, names);
    removals.push_back(std::move(one));
  }
  return {{"rules", std::move(rules)}, {"without_a_rule", "forever"}, {"mailboxes_to_remove", std::move(removals)}};
}

json::object shown_holds(const access::Keeping& keeping) {
  json::array holds;
  for (const access::Hold& hold : keeping.holds) {
    json::array mailboxes, types, items;
    for (const Id& mailbox : hold.mailboxes) mailboxes.emplace_back(mailbox.text());
    for (const std::uint8_t type : hold.types) types.emplace_back(std::string(access::item_type_name(type)));
    for (const Id& item : hold.items) items.emplace_back(item.text());
    json::object one{{"hold", hold.id.text()},          {"name", shown(hold.name)},          {"reason", shown(hold.reason)},
                     {"since", to_iso8601(hold.since)}, {"mailboxes", std::move(mailboxes)}, {"types", std::move(types)},
                     {"items", std::move(items)}};
    if (hold.from != 0) one["from"] = to_iso8601(hold.from);
    if (hold.to != 0) one["to"] = to_iso8601(hold.to);
    holds.push_back(std::move(one));
  }
  return {{"holds", std::move(holds)}};
}

json::object with_amount(json::object one, const Simulation::Amount& amount) {
  one["items"] = amount.items;
  one["versions"] = amount.versions;
  one["bytes"] = amount.bytes;
  return one;
}

json::object shown_simulation(const Simulation& simulation, const Names& names, Id only, std::uint32_t through) {
  json::array vanishing, held;
  for (const Simulation::Vanishing& each : simulation.vanishing) {
    if (!only.is_none() && each.mailbox != only) continue;
    json::object one{{"day", date_of(each.day)}, {"type", std::string(access::item_type_name(each.type))}};
    name_mailbox(one, each.mailbox, names);
    vanishing.push_back(with_amount(std::move(one), each.amount));
  }
  for (const Simulation::Held& each : simulation.held) {
    if (!only.is_none() && each.mailbox != only) continue;
    json::object one{
        {"hold", each.hold.text()}, {"hold_name", shown(each.name)}, {"type", std::string(access::item_type_name(each.type))}};
    name_mailbox(one, each.mailbox, names);
    held.push_back(with_amount(std::move(one), each.amount));
  }
  return {{"vanishes", std::move(vanishing)}, {"held", std::move(held)}, {"through", date_of(through)}};
}

// The rules as they would be with `as_if_days`, `as_if_type` and `as_if_mailbox`: through the operation that would set them.
Result<access::Keeping> as_if(const json::object& request, Id tenant, access::Keeping keeping) {
  const std::string days = text_of(request, "as_if_days");
  if (days.empty()) return keeping;
  access::Operation operation{"retention.set", tenant, {{"days", days}}, {}, 0, {}};
  if (const std::string type = text_of(request, "type"); !type.empty()) operation.arguments["type"] = type;
  if (const std::string mailbox = text_of(request, "mailbox"); !mailbox.empty()) operation.arguments["mailbox"] = mailbox;
  return access::changed_by(operation, std::move(keeping));
}

}  // namespace

bool RetentionVerbs::knows(std::string_view verb) { return verb.starts_with("retention.") || verb.starts_with("hold."); }

Result<std::string> RetentionVerbs::answer(std::string_view text, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !parsed.is_object()) return Error{ErrorKind::invalid_input, "not a JSON object", "not a JSON object"};
  const json::object& request = parsed.as_object();
  const std::string verb = text_of(request, "verb");
  if (verb == "retention.run") {
    ASSIGN_OR_RETURN(const Expired expired, retention_.run(deadline));
    return json::serialize(json::object{{"versions", expired.versions},
                                        {"contents", expired.contents},
                                        {"folders", expired.folders},
                                        {"mailboxes", expired.mailboxes},
                                        {"reports", expired.reports},
                                        {"lost", expired.lost},
                                        {"waiting", expired.waiting}});
  }
  const bool is_known = verb == "retention.show" || verb == "retention.simulate" || verb == "hold.list";
  if (!is_known) return Error{ErrorKind::not_found, "there is no verb " + verb, "there is no verb " + verb};
  ASSIGN_OR_RETURN(const Id tenant, id_of(request, "tenant", true));
  ASSIGN_OR_RETURN(access::Keeping keeping, rules_.of(tenant, deadline));
  if (verb == "hold.list") return json::serialize(shown_holds(keeping));
  ASSIGN_OR_RETURN(const Names names, names_of(book_, tenant, deadline));
  if (verb == "retention.show") return json::serialize(shown_rules(keeping, names));
  ASSIGN_OR_RETURN(const Id mailbox, id_of(request, "mailbox", false));
  ASSIGN_OR_RETURN(keeping, as_if(request, tenant, std::move(keeping)));
  const json::value* ahead = request.if_contains("days");
  const std::uint32_t days =
      ahead != nullptr && ahead->is_number()
          ? static_cast<std::uint32_t>(std::clamp<std::int64_t>(ahead->to_number<std::int64_t>(), 0, access::retention_days_max))
          : days_ahead_default;
  const std::uint32_t through = day_of(clock_.now()) + days;
  ASSIGN_OR_RETURN(const Simulation simulation, retention_.simulate(tenant, keeping, through, deadline));
  return json::serialize(shown_simulation(simulation, names, mailbox, through));
}

}  // namespace mailhold::recover
