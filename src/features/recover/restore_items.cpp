#include "features/recover/restore_items.h"

#include <algorithm>
#include <boost/json.hpp>

#include "features/recover/verb_fields.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

constexpr Outcome outcomes[] = {Outcome::present,     Outcome::restored, Outcome::would, Outcome::flags_set,
                                Outcome::overwritten, Outcome::differs,  Outcome::failed};

Error bad(const std::string& what) { return {ErrorKind::invalid_input, what, what}; }

std::string typed_name(Outcome outcome) {
  std::string name(name_of(outcome));
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

struct Asked {
  mailboxes::FolderPath folder;
  std::optional<Outcome> outcome;
  Id after;
  std::size_t limit = items_shown_default;

  bool fits(const RestoredItem& item) const {
    return mailboxes::is_below(item.folder, folder) && (!outcome || item.outcome == *outcome);
  }
};

Result<Asked> asked_of(const json::object& request) {
  Asked asked;
  asked.folder = mailboxes::parse_path(text_of(request, "folder"));
  ASSIGN_OR_RETURN(asked.after, id_of(request, "after", false));
  if (const std::string name = text_of(request, "outcome"); !name.empty()) {
    std::string known;
    for (const Outcome outcome : outcomes) {
      if (name == typed_name(outcome)) asked.outcome = outcome;
      known += (known.empty() ? "" : ", ") + typed_name(outcome);
    }
    if (!asked.outcome) return bad("outcome is one of " + known);
  }
  if (const json::value* limit = request.if_contains("limit")) {
    const std::int64_t number = limit->is_int64() ? limit->as_int64() : 0;
    if (number < 1) return bad("limit must be a number from 1 on");
    asked.limit = std::min(static_cast<std::size_t>(number), items_shown_max);
  }
  return asked;
}

json::array shown_flags(const std::vector<std::string>& flags) {
  json::array list;
  for (const std::string& flag : flags) list.emplace_back(shown(flag));
  return list;
}

std::string joined(const std::vector<std::string>& flags) {
  std::string text;
  for (const std::string& flag : flags) text += (text.empty() ? "" : " ") + shown(flag);
  return text.empty() ? "none" : text;
}

// Of a dry run: what the restore would do.
std::string plan_of(const RestoredItem& item) {
  switch (item.outcome) {
    case Outcome::present: return "stay: it is there";
    case Outcome::would: return "be put back";
    case Outcome::flags_set: return "get other flags";
    case Outcome::overwritten: return "be written over";
    default: return "stay: it is not as it was";
  }
}

json::object shown_item(const RestoredItem& item, bool is_dry_run) {
  const bool has_flags = item.outcome == Outcome::flags_set && (!item.flags_before.empty() || !item.flags_after.empty());
  std::string what = shown(item.detail);
  if (has_flags) what += (what.empty() ? "" : "; ") + joined(item.flags_before) + " -> " + joined(item.flags_after);
  json::object one{{"folder", shown(mailboxes::path_text(item.folder))},
                   {"outcome", std::string(name_of(item.outcome))},
                   {"what", std::move(what)},
                   {"item", item.item.text()},
                   {"id", shown(item.target_id)}};
  if (is_dry_run) one["would"] = plan_of(item);
  if (item.received_at != 0) one["received_at"] = to_iso8601(item.received_at);
  if (item.bytes != 0) one["bytes"] = item.bytes;
  if (has_flags) {
    one["flags_before"] = shown_flags(item.flags_before);
    one["flags_after"] = shown_flags(item.flags_after);
  }
  return one;
}

}  // namespace

Result<json::object> shown_items(const json::object& request, const RestoreReport& report) {
  ASSIGN_OR_RETURN(const Asked asked, asked_of(request));
  auto at = report.items.begin();
  if (!asked.after.is_none()) {
    at = std::ranges::find(report.items, asked.after, &RestoredItem::item);
    if (at == report.items.end()) return bad("the report has no item of the id that after names");
    ++at;
  }
  const auto fits = [&](const RestoredItem& item) { return asked.fits(item); };
  json::array list;
  Id last;
  std::size_t bytes = 0;
  for (at = std::find_if(at, report.items.end(), fits); at != report.items.end();
       at = std::find_if(at, report.items.end(), fits)) {
    if (list.size() == asked.limit || bytes >= items_shown_bytes_max) {
      return json::object{{"items", std::move(list)}, {"after", last.text()}};
    }
    json::object one = shown_item(*at, report.request.dry_run);
    bytes += json::serialize(one).size();
    list.push_back(std::move(one));
    last = at->item;
    ++at;
  }
  return json::object{{"items", std::move(list)}};
}

}  // namespace mailhold::recover
