#include "features/recover/finding.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/utf8.h"
#include "core/access/keeping.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

constexpr std::uint32_t limit_default = 100;
constexpr std::uint32_t hits_first = 500;

Error bad(const std::string& what) { return {ErrorKind::invalid_input, what, what}; }

struct Asked {
  std::vector<Mailbox> mailboxes;
  std::string query;
  Milliseconds moment = 0;
  std::uint32_t limit = limit_default;
};

std::string text_of(const json::object& request, std::string_view name) {
  const json::value* value = request.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::uint64_t number_of(const json::object& request, std::string_view name) {
  const json::value* value = request.if_contains(name);
  if (value != nullptr && value->is_uint64()) return value->as_uint64();
  return value != nullptr && value->is_int64() && value->as_int64() > 0 ? static_cast<std::uint64_t>(value->as_int64()) : 0;
}

// The mailboxes that are meant: one by id or name, or a tenant's.
Result<std::vector<Mailbox>> chosen(BackupBook& book, const json::object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<Mailbox> all, book.mailboxes(deadline));
  const std::string named = text_of(request, "mailbox"), tenant = text_of(request, "tenant");
  if (named.empty() == tenant.empty()) return bad("name a mailbox or a tenant");
  std::erase_if(all, [&](const Mailbox& mailbox) {
    return named.empty() ? mailbox.tenant.text() != tenant : mailbox.id.text() != named && mailbox.name != named;
  });
  if (!named.empty() && all.size() > 1) return bad("more than one mailbox has that name: give the id");
  const std::string nobody = "no such mailbox; see mailhold mailbox list";
  if (all.empty()) return Error{ErrorKind::not_found, nobody, nobody};
  return all;
}

Result<Asked> asked_of(BackupBook& book, std::string_view text, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !parsed.is_object()) return bad("not a JSON object");
  const json::object& request = parsed.as_object();
  Asked asked;
  ASSIGN_OR_RETURN(asked.mailboxes, chosen(book, request, deadline));
  asked.query = text_of(request, "query");
  asked.moment = static_cast<Milliseconds>(number_of(request, "at"));
  if (const std::uint64_t limit = number_of(request, "limit"); limit > 0)
    asked.limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, found_max));
  return asked;
}

std::string shown(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) append_utf8(safe, next_code_point(text, at));
  return safe;
}

// Nothing: it has none. Dates of mail stand in the book; those of other items are in their contents, which the index has read.
std::optional<Milliseconds> date_of(const ItemRow& item, const search::Hit& hit) {
  if (item.form == mailboxes::ContentForm::mime) return item.head.received_at;
  return hit.received != 0 ? std::optional(hit.received) : std::nullopt;
}

bool is_within(std::optional<Milliseconds> date, const search::ParsedQuery& query) {
  if (query.from == 0 && query.until == 0) return true;
  return date && *date >= query.from && (query.until == 0 || *date < query.until);
}

json::object shown_item(const FoundItem& found) {
  json::object shown_one{{"type", std::string(access::item_type_name(static_cast<std::uint8_t>(found.item.head.type)))},
                         {"folder", shown(mailboxes::path_text(found.folder))},
                         {"bytes", found.item.bytes},
                         {"mailbox", found.mailbox.text()},
                         {"item", found.item.id.text()}};
  if (found.item.form == mailboxes::ContentForm::mime)
    shown_one["received_at"] = to_iso8601(found.date);
  else if (found.date != 0)
    shown_one["date"] = to_iso8601(found.date);
  return shown_one;
}

}  // namespace

Status Finding::look_up(const View& view, const search::Hit& hit, const search::ParsedQuery& query, std::set<Id>& known,
                        FoundItems& found, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<ItemRow> items, book_.items_with(view.mailbox, hit.message, view.moment, deadline));
  for (ItemRow& item : items) {
    const auto folder = view.folders.find(item.folder);
    if (folder == view.folders.end() || !mailboxes::is_below(folder->second, mailboxes::parse_path(query.folder))) continue;
    const std::optional<Milliseconds> date = date_of(item, hit);
    if (!is_within(date, query) || !known.insert(item.id).second) continue;
    found.items.push_back({view.mailbox.id, folder->second, std::move(item), date.value_or(0)});
  }
  return done();
}

Result<FoundItems> Finding::find(const std::vector<Mailbox>& mailboxes, std::string_view text, Milliseconds moment,
                                 std::uint32_t limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const search::ParsedQuery query, search::parse_query(text));
  std::map<Id, View> views;
  FoundItems found;
  for (const Mailbox& mailbox : mailboxes) {
    if (mailbox.tenant != mailboxes.front().tenant) return Error{ErrorKind::bug, "a search in two tenants"};
    View view{mailbox, moment == 0 ? mailbox.synced_at : moment, {}};
    ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, book_.folders_as_of(mailbox, view.moment, deadline));
    for (const FolderRow& folder : folders) view.folders[folder.id] = folder.folder.path;
    found.complete = found.complete && (mailbox.synced_at == 0 || indexing_.is_current(mailbox));
    views[mailbox.id] = std::move(view);
  }
  const Id only = mailboxes.size() == 1 ? mailboxes.front().id : Id();
  RETURN_IF_ERROR(rules_.report(mailboxes.front().tenant, only, "backup.searched", {{"mailboxes", mailboxes.size()}}, deadline));
  // What the index finds may be gone, moved, or elsewhere: more is asked for until there is enough.
  for (std::uint32_t hits_max = hits_first;; hits_max = std::min(hits_max * 8, search::hits_max)) {
    found.items.clear();
    std::set<Id> known;
    ASSIGN_OR_RETURN(const std::vector<search::Hit> hits,
                     search_.find(mailboxes.front().tenant, query.question(only, hits_max), deadline));
    for (const search::Hit& hit : hits) {
      const auto view = views.find(hit.mailbox);
      if (view == views.end()) continue;
      RETURN_IF_ERROR(look_up(view->second, hit, query, known, found, deadline));
      if (found.items.size() > limit) break;
    }
    found.more = found.items.size() > limit || (hits.size() == hits_max && hits_max == search::hits_max);
    if (found.items.size() > limit) found.items.resize(limit);
    if (found.more || hits.size() < hits_max) return found;
  }
}

Result<std::string> Finding::answer(std::string_view text, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Asked asked, asked_of(book_, text, deadline));
  ASSIGN_OR_RETURN(const FoundItems found, find(asked.mailboxes, asked.query, asked.moment, asked.limit, deadline));
  json::array list;
  for (const FoundItem& each : found.items) list.push_back(shown_item(each));
  return json::serialize(json::object{{"items", std::move(list)}, {"more", found.more}, {"complete", found.complete}});
}

Result<std::vector<Id>> Finding::items_of(const Mailbox& mailbox, std::string_view query, Milliseconds moment,
                                          const Deadline& deadline) {
  ASSIGN_OR_RETURN(const FoundItems found, find({mailbox}, query, moment, found_max, deadline));
  if (!found.complete)
    return Error{ErrorKind::unavailable, "not everything is indexed yet", "not everything is indexed yet; try again"};
  if (found.more) return bad("more than 10,000 items are found: ask for fewer");
  if (found.items.empty()) return Error{ErrorKind::not_found, "nothing is found", "nothing is found"};
  std::vector<Id> items;
  for (const FoundItem& each : found.items) items.push_back(each.item.id);
  return items;
}

}  // namespace mailhold::recover
