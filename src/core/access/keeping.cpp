#include "core/access/keeping.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/text.h"

namespace mailhold::access {
namespace {

constexpr std::uint8_t bytes_version = 1;
constexpr std::uint32_t for_ever = UINT32_MAX;  // for comparing

Error wrong(const std::string& what) { return {ErrorKind::invalid_input, what, what}; }

template <class Value>
bool is_among(const std::vector<Value>& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool is_type(std::uint8_t type) { return type >= 1 && type <= std::size(item_types); }

const RetentionRule* rule_of(const Keeping& keeping, Id mailbox, std::uint8_t type) {
  const auto found = std::find_if(keeping.rules.begin(), keeping.rules.end(),
                                  [&](const RetentionRule& rule) { return rule.mailbox == mailbox && rule.type == type; });
  return found == keeping.rules.end() ? nullptr : &*found;
}

std::uint32_t comparable(std::uint32_t days) { return days == 0 ? for_ever : days; }

// Mailboxes without a rule of their own are all alike: the id of none stands for them.
bool cuts_retention(const Keeping& before, const Keeping& after) {
  std::set<Id> mailboxes{Id()};
  for (const Keeping* each : {&before, &after}) {
    for (const RetentionRule& rule : each->rules) mailboxes.insert(rule.mailbox);
  }
  for (const Id& mailbox : mailboxes) {
    for (std::uint8_t type = 1; type <= std::size(item_types); ++type) {
      if (comparable(days_kept(after, mailbox, type)) < comparable(days_kept(before, mailbox, type))) return true;
    }
  }
  return false;
}

bool is_text(std::string_view text) {
  return !text.empty() && text.size() <= hold_text_bytes_max && std::none_of(text.begin(), text.end(), [](char letter) {
    return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
  });
}

Status check_hold(const Hold& hold) {
  if (hold.id.is_none()) return wrong("a hold needs an id");
  if (!is_text(hold.name)) return wrong("a hold needs a name of at most 1,024 bytes without control characters");
  if (!is_text(hold.reason)) return wrong("a hold needs a reason of at most 1,024 bytes without control characters");
  if (hold.mailboxes.size() > hold_list_max || hold.items.size() > hold_list_max || hold.types.size() > std::size(item_types))
    return wrong("a hold names at most 1,000 mailboxes and 1,000 items");
  if (!std::all_of(hold.types.begin(), hold.types.end(), is_type)) return wrong("a hold names a type that is none");
  if (hold.from < 0 || hold.to < 0 || (hold.to != 0 && hold.to <= hold.from)) return wrong("a hold ends before it begins");
  // So that what a hold can reach is known to who knows no items.
  if (!hold.items.empty() && hold.mailboxes.size() != 1) return wrong("a hold of items names the one mailbox they are in");
  return done();
}

Status check_rule(const RetentionRule& rule) {
  if (rule.type != 0 && !is_type(rule.type)) return wrong("a rule for a type that is none");
  if (rule.days > retention_days_max) return wrong("days are 1 to 36,135");
  return done();
}

std::vector<std::string> lines_of(const Operation& operation, const std::string& argument) {
  std::vector<std::string> lines;
  const std::string text = operation.argument_or(argument, "");
  for (const auto line : split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

Result<std::vector<Id>> ids_of(const Operation& operation, const std::string& argument) {
  std::vector<Id> ids;
  for (const std::string& line : lines_of(operation, argument)) {
    const auto id = Id::parse(line);
    if (!id || id->is_none()) return wrong(argument + " are ids of 32 hex digits");
    if (!is_among(ids, *id)) ids.push_back(*id);
  }
  return ids;
}

Result<Id> id_of(const Operation& operation, const std::string& argument) {
  ASSIGN_OR_RETURN(const std::string text, operation.argument(argument));
  const auto id = Id::parse(text);
  if (!id || id->is_none()) return wrong(argument + " must be 32 hex digits");
  return *id;
}

Result<Milliseconds> time_of(const Operation& operation, const std::string& argument) {
  const std::string text = operation.argument_or(argument, "");
  if (text.empty()) return Milliseconds{0};
  const auto time = parse_iso8601(text);
  if (!time) return wrong(argument + " must be a time like 2026-11-22 or 2026-11-22T15:04:05Z");
  return *time;
}

Result<Keeping> with_rule(const Operation& operation, Keeping keeping) {
  RetentionRule rule;
  if (operation.arguments.contains("mailbox")) {
    ASSIGN_OR_RETURN(rule.mailbox, id_of(operation, "mailbox"));
  }
  if (operation.arguments.contains("type")) {
    ASSIGN_OR_RETURN(rule.type, item_type_of(operation.argument_or("type", "")));
  }
  ASSIGN_OR_RETURN(const std::string days, operation.argument("days"));
  std::erase_if(keeping.rules, [&](const RetentionRule& each) { return each.mailbox == rule.mailbox && each.type == rule.type; });
  if (days == "default") return keeping;
  const auto number = to_number(days);
  if (days != "forever" && (!number || *number == 0 || *number > retention_days_max))
    return wrong("days are 1 to 36,135, or forever, or default: as what is wider says");
  rule.days = days == "forever" ? 0 : static_cast<std::uint32_t>(*number);
  if (keeping.rules.size() >= rules_max) return Error{ErrorKind::limit_exceeded, "a tenant has at most 10,000 retention rules"};
  keeping.rules.push_back(rule);
  return keeping;
}

Result<Keeping> with_hold(const Operation& operation, Keeping keeping) {
  Hold hold;
  ASSIGN_OR_RETURN(hold.id, id_of(operation, "hold"));
  ASSIGN_OR_RETURN(hold.name, operation.argument("name"));
  ASSIGN_OR_RETURN(hold.reason, operation.argument("reason"));
  ASSIGN_OR_RETURN(hold.mailboxes, ids_of(operation, "mailboxes"));
  ASSIGN_OR_RETURN(hold.items, ids_of(operation, "items"));
  for (const std::string& name : lines_of(operation, "types")) {
    ASSIGN_OR_RETURN(const std::uint8_t type, item_type_of(name));
    if (!is_among(hold.types, type)) hold.types.push_back(type);
  }
  ASSIGN_OR_RETURN(hold.from, time_of(operation, "from"));
  ASSIGN_OR_RETURN(hold.to, time_of(operation, "to"));
  hold.since = operation.at;
  RETURN_IF_ERROR(check_hold(hold));
  for (const Hold& each : keeping.holds) {
    if (each.id == hold.id || each.name == hold.name)
      return Error{ErrorKind::already_exists, "there is a hold of that name", "there is a hold of that name"};
  }
  if (keeping.holds.size() >= holds_max) return Error{ErrorKind::limit_exceeded, "a tenant has at most 1,000 holds"};
  keeping.holds.push_back(std::move(hold));
  return keeping;
}

Result<Keeping> with_removal(const Operation& operation, Keeping keeping) {
  ASSIGN_OR_RETURN(const Id mailbox, id_of(operation, "mailbox"));
  if (const Hold* hold = hold_on_mailbox(keeping, mailbox); hold != nullptr) {
    const std::string what = "hold " + hold->name + " may hold items of this mailbox";
    return Error{ErrorKind::denied, what, what};
  }
  if (keeping.removals.size() >= removals_max) return Error{ErrorKind::limit_exceeded, "too many mailboxes are to be removed"};
  const bool is_known =
      std::any_of(keeping.removals.begin(), keeping.removals.end(), [&](const Removal& each) { return each.mailbox == mailbox; });
  if (!is_known) keeping.removals.push_back({mailbox, operation.at});
  return keeping;
}

void write_ids(ByteWriter& writer, const std::vector<Id>& ids) {
  writer.u32(static_cast<std::uint32_t>(ids.size()));
  for (const Id& id : ids) writer.raw(id.bytes());
}

std::vector<Id> read_ids(ByteReader& reader) {
  std::vector<Id> ids;
  for (std::uint32_t left = reader.count(Id::size); left > 0; --left) ids.push_back(Id::from_bytes(reader.raw(Id::size)));
  return ids;
}

Hold read_hold(ByteReader& reader) {
  Hold hold;
  hold.id = Id::from_bytes(reader.raw(Id::size));
  hold.name = reader.text();
  hold.reason = reader.text();
  hold.mailboxes = read_ids(reader);
  for (std::uint32_t left = reader.count(1); left > 0; --left) hold.types.push_back(reader.u8());
  hold.from = static_cast<Milliseconds>(reader.u64());
  hold.to = static_cast<Milliseconds>(reader.u64());
  hold.items = read_ids(reader);
  hold.since = static_cast<Milliseconds>(reader.u64());
  return hold;
}

}  // namespace

std::string_view item_type_name(std::uint8_t type) { return type == 0 ? "all" : is_type(type) ? item_types[type - 1] : "?"; }

Result<std::uint8_t> item_type_of(std::string_view name) {
  for (std::size_t at = 0; at < std::size(item_types); ++at) {
    if (item_types[at] == name) return static_cast<std::uint8_t>(at + 1);
  }
  return wrong("a type is mail, event, contact, task or note");
}

std::uint32_t days_kept(const Keeping& keeping, Id mailbox, std::uint8_t type) {
  const std::pair<Id, std::uint8_t> narrowest_first[] = {{mailbox, type}, {mailbox, 0}, {Id(), type}, {Id(), 0}};
  for (const auto& [each_mailbox, each_type] : narrowest_first) {
    if (const RetentionRule* rule = rule_of(keeping, each_mailbox, each_type); rule != nullptr) return rule->days;
  }
  return 0;
}

bool covers(const Hold& hold, const KeptItem& item) {
  if (!hold.mailboxes.empty() && !is_among(hold.mailboxes, item.mailbox)) return false;
  if (!hold.types.empty() && !is_among(hold.types, item.type)) return false;
  if (!hold.items.empty() && !is_among(hold.items, item.item)) return false;
  if (item.received_at == 0) return true;  // when it came is not known
  if (hold.from != 0 && item.received_at < hold.from) return false;
  return hold.to == 0 || item.received_at < hold.to;
}

const Hold* hold_of(const Keeping& keeping, const KeptItem& item) {
  const auto found =
      std::find_if(keeping.holds.begin(), keeping.holds.end(), [&](const Hold& hold) { return covers(hold, item); });
  return found == keeping.holds.end() ? nullptr : &*found;
}

const Hold* hold_on_mailbox(const Keeping& keeping, Id mailbox) {
  const auto found = std::find_if(keeping.holds.begin(), keeping.holds.end(),
                                  [&](const Hold& hold) { return hold.mailboxes.empty() || is_among(hold.mailboxes, mailbox); });
  return found == keeping.holds.end() ? nullptr : &*found;
}

bool keeps_less(const Keeping& before, const Keeping& after) {
  const bool every_hold_stays =
      std::all_of(before.holds.begin(), before.holds.end(), [&](const Hold& hold) { return is_among(after.holds, hold); });
  const bool removes = std::any_of(after.removals.begin(), after.removals.end(),
                                   [&](const Removal& removal) { return !is_among(before.removals, removal); });
  return !every_hold_stays || removes || cuts_retention(before, after);
}

bool is_about_keeping(std::string_view type) {
  return type == "retention.set" || type == "hold.add" || type == "hold.remove" || type == "mailbox.remove";
}

Result<Keeping> changed_by(const Operation& operation, Keeping keeping) {
  if (operation.tenant == region_tenant()) return wrong("name the tenant");
  if (operation.type == "retention.set") return with_rule(operation, std::move(keeping));
  if (operation.type == "hold.add") return with_hold(operation, std::move(keeping));
  if (operation.type == "mailbox.remove") return with_removal(operation, std::move(keeping));
  if (operation.type != "hold.remove") return wrong("there is no operation " + operation.type);
  ASSIGN_OR_RETURN(const Id hold, id_of(operation, "hold"));
  if (std::erase_if(keeping.holds, [&](const Hold& each) { return each.id == hold; }) == 0)
    return Error{ErrorKind::not_found, "no such hold of this tenant", "no such hold of this tenant"};
  return keeping;
}

std::string write_keeping(const Keeping& keeping) {
  ByteWriter writer;
  writer.u8(bytes_version).u32(static_cast<std::uint32_t>(keeping.rules.size()));
  for (const RetentionRule& rule : keeping.rules) writer.raw(rule.mailbox.bytes()).u8(rule.type).u32(rule.days);
  writer.u32(static_cast<std::uint32_t>(keeping.holds.size()));
  for (const Hold& hold : keeping.holds) {
    writer.raw(hold.id.bytes()).text(hold.name).text(hold.reason);
    write_ids(writer, hold.mailboxes);
    writer.u32(static_cast<std::uint32_t>(hold.types.size()));
    for (const std::uint8_t type : hold.types) writer.u8(type);
    writer.u64(static_cast<std::uint64_t>(hold.from)).u64(static_cast<std::uint64_t>(hold.to));
    write_ids(writer, hold.items);
    writer.u64(static_cast<std::uint64_t>(hold.since));
  }
  writer.u32(static_cast<std::uint32_t>(keeping.removals.size()));
  for (const Removal& removal : keeping.removals) writer.raw(removal.mailbox.bytes()).u64(static_cast<std::uint64_t>(removal.at));
  return writer.take();
}

Result<Keeping> parse_keeping(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != bytes_version) return Error{ErrorKind::corrupt, "rules of an unknown version"};
  Keeping keeping;
  for (std::uint32_t left = reader.count(Id::size + 5); left > 0; --left) {
    RetentionRule rule;
    rule.mailbox = Id::from_bytes(reader.raw(Id::size));
    rule.type = reader.u8();
    rule.days = reader.u32();
    if (!check_rule(rule)) return Error{ErrorKind::corrupt, "an unsound retention rule"};
    keeping.rules.push_back(rule);
  }
  for (std::uint32_t left = reader.count(Id::size + 44); left > 0; --left) {
    keeping.holds.push_back(read_hold(reader));
    if (!check_hold(keeping.holds.back())) return Error{ErrorKind::corrupt, "an unsound hold"};
  }
  for (std::uint32_t left = reader.count(Id::size + 8); left > 0; --left) {
    Removal removal;
    removal.mailbox = Id::from_bytes(reader.raw(Id::size));
    removal.at = static_cast<Milliseconds>(reader.u64());
    keeping.removals.push_back(removal);
  }
  RETURN_IF_ERROR(reader.finish());
  return keeping;
}

}  // namespace mailhold::access
