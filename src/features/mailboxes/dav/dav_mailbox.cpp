#include "features/mailboxes/dav/dav_mailbox.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/dav/dav_path.h"
#include "formats/http/entity_tag.h"
#include "formats/http/proof_collection.h"

namespace mailhold::mailboxes {
namespace {

using dav::CollectionKind;

constexpr std::size_t redirects_max = 5;
constexpr std::size_t homes_max = 16;
constexpr std::size_t name_bytes_max = 512;
constexpr std::uint64_t size_unknown = 16U << 10;

Error contradicts(const char* what) { return {ErrorKind::corrupt, std::string("the server contradicts itself: ") + what}; }

// What a status that is not the hoped for one means.
Error error_of(int status) {
  const std::string what = "the server answers " + std::to_string(status);
  switch (status) {
    case 401:
      return {ErrorKind::denied, what, "the server refuses the account's secret (401): enter it again (mailhold secret set)"};
    case 403: return {ErrorKind::denied, what};
    case 404:
    case 410: return {ErrorKind::not_found, what};
    case 405:
    case 501: return {ErrorKind::unsupported, what};
    case 408:
    case 425: return {ErrorKind::unavailable, what};
    case 429:
    case 503: return {ErrorKind::unavailable, what + ": it has too much to do"};
    default: return {status >= 500 ? ErrorKind::unavailable : ErrorKind::denied, what};
  }
}

// The server may take, or give, the same item later.
bool passes_by_itself(int status) {
  return status == 408 || status == 425 || status == 429 || status == 502 || status == 503 || status == 504;
}

// Of one item. A server that stumbles over it (500), or has no room for it (507), goes on stumbling: others are still taken.
Error error_of_item(int status) {
  const std::string what = "the server answers " + std::to_string(status) + (status == 507 ? ": there is no room for it" : "");
  if (passes_by_itself(status)) return {ErrorKind::unavailable, what};
  return {ErrorKind::denied, what, what};
}

// What became of a PUT: the item's new id, or nothing where the server does not tell. `other_version`: why its condition was not
// met, for people.
Result<std::string> id_after_put(const DavAnswer& answer, const std::string& name, const std::string& other_version) {
  const int status = answer.status;
  if (status == 200 || status == 201 || status == 204) return answer.etag.empty() ? std::string() : name + "\n" + answer.etag;
  // The server may have taken it when it was asked the first time: reading it back tells.
  if (status == 412 && answer.was_repeated) return std::string();
  const std::string what = "the server answers " + std::to_string(status);
  // RFC 4791 section 5.3.2.1, RFC 6352 section 6.3.2.1.
  if ((status == 403 || status == 409) && dav::names_precondition(answer.body, "no-uid-conflict"))
    return Error{
        ErrorKind::denied, what,
        "its UID is in the way: the server has it under another name, or another one under this name; that stays as it is"};
  if (status == 412 || status == 409) return Error{ErrorKind::denied, what, other_version};
  if (status == 404) return error_of(404);
  return error_of_item(status);
}

bool is_redirect(int status) { return status == 301 || status == 302 || status == 307 || status == 308; }

// A name for people: UTF-8, one line, not without end.
std::string shown_name(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size() && name.size() < name_bytes_max;) {
    const char32_t letter = next_code_point(text, at);
    append_utf8(name, letter < 0x20 || letter == 0x7f ? U' ' : letter);
  }
  return std::string(trim(name));
}

std::string id_of(std::string_view name, std::string_view version) { return std::string(name) + "\n" + std::string(version); }

// What names the content. A line break would end the name of the item elsewhere.
std::string version_of(std::string etag) {
  std::replace(etag.begin(), etag.end(), '\n', ' ');
  return etag;
}

std::string_view version_in(std::string_view id) { return id.substr(item_name(id).size() + 1); }

constexpr ItemTypes types_of_calendars{ItemType::event, ItemType::task, ItemType::note};

// Of an item of a calendar; nothing where the server does not say.
std::optional<ItemType> type_of(const dav::Resource& resource) {
  const std::string type = to_lower(resource.content_type.value_or(""));
  if (type.find("component=vtodo") != std::string::npos) return ItemType::task;
  if (type.find("component=vjournal") != std::string::npos) return ItemType::note;
  if (type.find("component=vevent") != std::string::npos) return ItemType::event;
  return std::nullopt;
}

// Of a calendar; without any components, or with none that is known: all of them (RFC 4791 section 5.2.3).
ItemTypes types_of(const std::vector<std::string>& components) {
  std::uint8_t bits = 0;
  for (const std::string& each : components) {
    if (equals_ignoring_case(each, "VEVENT")) bits |= ItemTypes{ItemType::event}.bits();
    if (equals_ignoring_case(each, "VTODO")) bits |= ItemTypes{ItemType::task}.bits();
    if (equals_ignoring_case(each, "VJOURNAL")) bits |= ItemTypes{ItemType::note}.bits();
  }
  return bits == 0 ? types_of_calendars : ItemTypes::from_bits(bits);
}

ItemType first_of(ItemTypes types) {
  for (const ItemType type : {ItemType::event, ItemType::task, ItemType::note}) {
    if (types.has(type)) return type;
  }
  return ItemType::contact;
}

// XML takes the CR of line ends away (section 2.11) where a server does not write it as &#13;. RFC 5545 and RFC 6350 have it in
// every line.
std::string with_line_ends(std::string text) {
  if (text.find('\r') != std::string::npos) return text;
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (const char letter : text) {
    if (letter == '\n') out += '\r';
    out += letter;
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<DavMailbox>> DavMailbox::open(DavSession::Dial dial, const DavSettings& settings,
                                                     const Deadline& deadline) {
  std::unique_ptr<DavMailbox> mailbox(new DavMailbox(std::move(dial), settings));
  RETURN_IF_ERROR(mailbox->discover(deadline));
  return mailbox;
}

Result<dav::Multistatus> DavMailbox::multistatus_of(const Result<DavAnswer>& answer) const {
  if (!answer) return answer.error();
  if (answer->status != 207) return error_of(answer->status);
  if (answer->is_too_long) return Error{ErrorKind::limit_exceeded, "the server's answer is too long"};
  return dav::read_multistatus(answer->body, {.bytes_max = settings_.answer_bytes_max});
}

Result<dav::Multistatus> DavMailbox::propfind(const std::string& path, int depth, const std::string& body,
                                              const Deadline& deadline) {
  return multistatus_of(
      session_.ask({.method = "PROPFIND",
                    .path = path,
                    .fields = "Depth: " + std::to_string(depth) + "\r\nContent-Type: application/xml; charset=utf-8\r\n",
                    .body = body,
                    .answer_bytes_max = settings_.answer_bytes_max},
                   deadline));
}

// Of one resource; redirects of the same server are followed.
Result<dav::Resource> DavMailbox::find_properties(std::string path, const std::string& body, const Deadline& deadline) {
  for (std::size_t redirects = 0;; ++redirects) {
    const Result<DavAnswer> answer = session_.ask({.method = "PROPFIND",
                                                   .path = path,
                                                   .fields = "Depth: 0\r\nContent-Type: application/xml; charset=utf-8\r\n",
                                                   .body = body},
                                                  deadline);
    if (answer && is_redirect(answer->status) && redirects < redirects_max) {
      const auto there = dav::path_of_href(answer->location);
      if (!there) return contradicts("it redirects to no path");
      path = *there;
      continue;
    }
    ASSIGN_OR_RETURN(dav::Multistatus found, multistatus_of(answer));
    if (found.resources.empty()) return contradicts("it tells nothing of what it was asked for");
    return std::move(found.resources.front());
  }
}

// RFC 6764 section 6: by the well-known paths, or from the root, to the principal, and from there to the homes.
Status DavMailbox::discover(const Deadline& deadline) {
  std::optional<std::string> principal;
  std::optional<Error> failure;
  for (const char* start : {"/.well-known/caldav", "/.well-known/carddav", "/"}) {
    const Result<dav::Resource> found = find_properties(start, dav::write_find_principal(), deadline);
    if (found && found->principal) {
      principal = found->principal;
      break;
    }
    if (found) continue;
    if (found.error().is_temporary() || found.error().kind == ErrorKind::limit_exceeded) return found.error();
    failure = found.error();
  }
  if (!principal) {
    const std::string what =
        "the server names no principal: is there CalDAV or CardDAV for this account at the connection's host?";
    if (failure && !failure->for_peer.empty()) return *failure;
    return Error{ErrorKind::denied, what + (failure ? " (" + failure->detail + ")" : ""), what};
  }
  ASSIGN_OR_RETURN(const dav::Resource homes, find_properties(*principal, dav::write_find_homes(), deadline));
  calendar_homes_ = homes.calendar_homes;
  address_book_homes_ = homes.address_book_homes;
  if (calendar_homes_.empty() && address_book_homes_.empty()) calendar_homes_ = address_book_homes_ = {*principal};
  if (calendar_homes_.size() + address_book_homes_.size() > homes_max)
    return Error{ErrorKind::limit_exceeded, "the account has too many homes"};
  return done();
}

Result<std::vector<Folder>> DavMailbox::folders(const Deadline& deadline) {
  std::set<std::string> homes(calendar_homes_.begin(), calendar_homes_.end());
  homes.insert(address_book_homes_.begin(), address_book_homes_.end());
  std::map<std::string, Collection> found;
  for (const std::string& home : homes) {
    ASSIGN_OR_RETURN(const dav::Multistatus answer, propfind(home, 1, dav::write_find_collections(), deadline));
    for (const dav::Resource& resource : answer.resources) {
      if (resource.status == 507) return Error{ErrorKind::limit_exceeded, "the server does not list all collections"};
      if (!resource.is_calendar && !resource.is_address_book) continue;
      if (found.size() == folders_max) return Error{ErrorKind::limit_exceeded, "the account has too many collections"};
      Collection collection;
      collection.folder.id = resource.path.ends_with('/') ? resource.path : resource.path + "/";
      collection.kind = resource.is_calendar ? CollectionKind::calendar : CollectionKind::address_book;
      collection.holds = resource.is_calendar ? types_of(resource.components) : ItemTypes{ItemType::contact};
      collection.type = first_of(collection.holds);
      std::string name = shown_name(resource.display_name.value_or(""));
      if (name.empty()) name = shown_name(dav::decoded(dav::name_in_path(resource.path)));
      collection.folder.path = {std::string(resource.is_calendar ? calendars_name : address_books_name), std::move(name)};
      found.emplace(collection.folder.id, std::move(collection));
    }
  }
  // Two of one name are told apart by the last part of their paths.
  std::map<FolderPath, std::size_t> uses;
  for (const auto& [id, collection] : found) ++uses[collection.folder.path];
  collections_.clear();
  std::vector<Folder> folders;
  for (auto& [id, collection] : found) {
    if (uses[collection.folder.path] > 1)
      collection.folder.path.back() += " (" + shown_name(dav::decoded(dav::name_in_path(id))) + ")";
    folders.push_back(collection.folder);
    collections_.push_back(std::move(collection));
  }
  return folders;
}

const DavMailbox::Collection* DavMailbox::collection_of(const Folder& folder) const {
  const auto found =
      std::find_if(collections_.begin(), collections_.end(), [&](const Collection& each) { return each.folder.id == folder.id; });
  return found == collections_.end() ? nullptr : &*found;
}

ItemTypes DavMailbox::holds(const Folder& folder) const {
  if (form_of(folder) == ContentForm::vcard) return {ItemType::contact};
  const Collection* collection = collection_of(folder);
  return collection == nullptr ? types_of_calendars : collection->holds;
}

ContentForm DavMailbox::form_of(const Folder& folder) const {
  const bool is_contacts = !folder.path.empty() && folder.path.front() == address_books_name;
  return is_contacts ? ContentForm::vcard : ContentForm::icalendar;
}

Result<DavMailbox::State> DavMailbox::state_of(const Folder& folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const dav::Resource found, find_properties(folder.id, dav::write_find_collections(), deadline));
  if (!found.is_calendar && !found.is_address_book) return Error{ErrorKind::not_found, "the collection is none any more"};
  State state;
  // A token without the report is of no use.
  if (found.can_sync) state.sync_token = found.sync_token.value_or("");
  state.ctag = found.ctag.value_or("");
  return state;
}

std::optional<ItemHead> DavMailbox::head_of(const dav::Resource& resource, const Folder& folder) const {
  if (resource.is_collection || resource.path == folder.id || resource.path.ends_with('/')) return std::nullopt;
  const std::string_view name = dav::name_in_path(resource.path);
  if (name.empty()) return std::nullopt;
  const ItemTypes possible = holds(folder);
  ItemHead head;
  head.id = id_of(name, version_of(resource.etag.value_or("")));
  const bool is_contact = possible == ItemTypes{ItemType::contact};
  const std::optional<ItemType> told = is_contact ? ItemType::contact : type_of(resource);
  head.type = told.value_or(first_of(possible));
  head.type_is_told = told.has_value();
  head.bytes_claimed = resource.length.value_or(0);
  return head;
}

Result<std::vector<ItemHead>> DavMailbox::list_items(const Folder& folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const dav::Multistatus answer, propfind(folder.id, 1, dav::write_list_items(), deadline));
  std::map<std::string, ItemHead, std::less<>> by_name;
  for (const dav::Resource& resource : answer.resources) {
    if (resource.status == 507) return Error{ErrorKind::limit_exceeded, "the server does not list all of a collection"};
    if (resource.status >= 400) continue;
    std::optional<ItemHead> head = head_of(resource, folder);
    if (!head) continue;
    if (!resource.etag) return contradicts("an item without an ETag, whose changes could not be seen");
    sizes_[head->id] = head->bytes_claimed;
    std::string name(item_name(head->id));
    by_name.emplace(std::move(name), std::move(*head));
  }
  std::vector<ItemHead> heads;
  for (auto& [name, head] : by_name) heads.push_back(std::move(head));
  return heads;
}

Result<bool> DavMailbox::is_there(const Folder& folder, const Deadline& deadline) {
  const Result<State> state = state_of(folder, deadline);
  if (!state && state.error().kind != ErrorKind::not_found) return state.error();
  return static_cast<bool>(state);
}

Result<std::vector<ItemHead>> DavMailbox::list(const Folder& folder, const Deadline& deadline) {
  return list_items(folder, deadline);
}

Result<Changes> DavMailbox::changes(const Folder& folder, std::string_view mark_bytes, std::size_t limit,
                                    const Deadline& deadline) {
  if (dav::path_of_href(folder.id) != folder.id) return Error{ErrorKind::not_found, "no collection of this server"};
  const DavMark mark = parse_dav_mark(mark_bytes);
  limit = std::max<std::size_t>(limit, 1);
  if (mark.is_listing) return list_on(folder, mark, limit, deadline);
  if (!mark.sync_token.empty()) {
    ASSIGN_OR_RETURN(std::optional<Changes> changes, sync(folder, mark, limit, deadline));
    if (changes) return std::move(*changes);
  }
  // The state is asked for before the listing: what changes while it is read is seen the next time.
  ASSIGN_OR_RETURN(State state, state_of(folder, deadline));
  const bool is_unchanged = mark.sync_token.empty() && !mark.ctag.empty() && mark.ctag == state.ctag;
  if (is_unchanged && state.sync_token.empty()) {
    Changes none;
    none.mark = mark_bytes;
    return none;
  }
  listed_folder_.clear();
  return list_on(folder, {.is_listing = true, .sync_token = std::move(state.sync_token), .ctag = std::move(state.ctag)}, limit,
                 deadline);
}

// The items behind mark.last_name, at most `limit`; at the end all that is there.
Result<Changes> DavMailbox::list_on(const Folder& folder, DavMark mark, std::size_t limit, const Deadline& deadline) {
  if (listed_folder_ != folder.id) {
    ASSIGN_OR_RETURN(listing_, list_items(folder, deadline));
    listed_folder_ = folder.id;
  }
  Changes changes;
  for (const ItemHead& head : listing_) {
    if (!mark.last_name.empty() && item_name(head.id) <= mark.last_name) continue;
    if (changes.items.size() == limit) {
      changes.more = true;
      break;
    }
    changes.items.push_back(head);
  }
  if (changes.more) {
    mark.last_name = item_name(changes.items.back().id);
  } else {
    mark.is_listing = false;
    mark.last_name.clear();
    changes.present.emplace();
    for (const ItemHead& head : listing_) changes.present->push_back(head.id);
    changes.count = listing_.size();
    listed_folder_.clear();
  }
  changes.mark = write_mark(mark);
  return changes;
}

Result<std::optional<Changes>> DavMailbox::sync(const Folder& folder, const DavMark& mark, std::size_t limit,
                                                const Deadline& deadline) {
  const DavRequest report{.method = "REPORT",
                          .path = folder.id,
                          .fields = "Depth: 0\r\nContent-Type: application/xml; charset=utf-8\r\n",
                          .body = dav::write_sync_collection(mark.sync_token, limit),
                          .answer_bytes_max = settings_.answer_bytes_max};
  Result<DavAnswer> answer = session_.ask(report, deadline);
  if (!answer) return answer.error();
  const auto is_refused = [&](std::string_view precondition) {
    return answer->status >= 400 && dav::names_precondition(answer->body, precondition);
  };
  // A server that cannot limit its answers says so (RFC 5323); then it is asked without a limit.
  if (is_refused("number-of-matches-within-limits")) {
    DavRequest unlimited = report;
    unlimited.body = dav::write_sync_collection(mark.sync_token, 0);
    answer = session_.ask(unlimited, deadline);
    if (!answer) return answer.error();
  }
  if (answer->status == 404 || answer->status == 410 || answer->status == 401) return error_of(answer->status);
  // valid-sync-token names a token that is too old. Whatever else the server has against the report, a listing says what is
  // there.
  if (answer->status != 207 && answer->status < 500) return std::optional<Changes>();
  ASSIGN_OR_RETURN(const dav::Multistatus found, multistatus_of(answer));
  if (found.sync_token.empty()) return std::optional<Changes>();
  Changes changes;
  for (const dav::Resource& resource : found.resources) {
    const std::string_view name = dav::name_in_path(resource.path);
    const bool is_collection = resource.path == folder.id || resource.path + "/" == folder.id;
    if (resource.status == 507) changes.more = true;  // RFC 6578 section 3.6: what is here is sound, and there is more
    if (is_collection || resource.path.ends_with('/')) continue;
    if (resource.status == 404 || resource.status == 410) {
      changes.gone.push_back(id_of(name, ""));
    } else if (resource.status == 0 && resource.etag) {
      if (std::optional<ItemHead> head = head_of(resource, folder)) {
        sizes_[head->id] = head->bytes_claimed;
        changes.items.push_back(std::move(*head));
      }
    } else if (resource.status != 507) {
      return std::optional<Changes>();  // a member of which nothing can be said: the listing says it
    }
  }
  if (changes.more && found.sync_token == mark.sync_token) return contradicts("there is more, and its token stays");
  changes.mark = write_mark({.sync_token = found.sync_token});
  return std::optional<Changes>(std::move(changes));
}

Status DavMailbox::fetch(const Folder& folder, const std::vector<std::string>& ids, const Sink& sink, const Deadline& deadline) {
  std::map<std::string, std::string> wanted;  // id by path
  std::uint64_t bytes = 0;
  const auto flush = [&]() -> Status {
    if (!wanted.empty()) RETURN_IF_ERROR(fetch_some(folder, wanted, sink, deadline));
    wanted.clear();
    bytes = 0;
    return done();
  };
  for (const std::string& id : ids) {
    const std::string name(item_name(id));
    const auto path = dav::path_of_href(folder.id + name);
    if (name.empty() || !path || *path != folder.id + name) continue;
    const auto known = sizes_.find(id);
    const std::uint64_t size = known == sizes_.end() || known->second == 0 ? size_unknown : known->second;
    if (size > settings_.bytes_at_once) {
      RETURN_IF_ERROR(fetch_one(folder, name, id, sink, deadline));
      continue;
    }
    if (wanted.size() == settings_.contents_at_once || bytes + size > settings_.bytes_at_once) RETURN_IF_ERROR(flush());
    bytes += size;
    wanted[*path] = id;
  }
  return flush();
}

// By multiget; what that does not give is asked for alone. So is all of it where the answer is no XML: a server that keeps a
// content which XML has no place for (a NUL) may write it there as it is, and hides the others with it.
Status DavMailbox::fetch_some(const Folder& folder, const std::map<std::string, std::string>& wanted, const Sink& sink,
                              const Deadline& deadline) {
  std::vector<std::string> paths;
  std::map<std::string, std::string> missing;  // id by name
  for (const auto& [path, id] : wanted) {
    paths.push_back(path);
    missing[std::string(dav::name_in_path(path))] = id;
  }
  const bool is_contacts = form_of(folder) == ContentForm::vcard;
  const Result<DavAnswer> answer =
      session_.ask({.method = "REPORT",
                    .path = folder.id,
                    .fields = "Depth: 1\r\nContent-Type: application/xml; charset=utf-8\r\n",
                    .body = dav::write_multiget(is_contacts ? CollectionKind::address_book : CollectionKind::calendar, paths),
                    .answer_bytes_max = settings_.answer_bytes_max},
                   deadline);
  if (!answer) return answer.error();
  if (answer->status == 404 || passes_by_itself(answer->status)) return error_of(answer->status);
  if (answer->status == 207 && !answer->is_too_long) {
    Result<dav::Multistatus> found = dav::read_multistatus(answer->body, {.bytes_max = settings_.answer_bytes_max});
    if (!found && found.error().kind != ErrorKind::corrupt) return found.error();
    std::vector<dav::Resource> resources;
    if (found) resources = std::move(found->resources);
    for (dav::Resource& resource : resources) {
      const auto asked = missing.find(std::string(dav::name_in_path(resource.path)));
      if (asked == missing.end()) continue;  // nobody asked for it, or it came before
      const bool is_gone = resource.status == 404 || resource.status == 410;
      if (!is_gone && (!resource.content || resource.content->empty())) continue;
      const std::string id = asked->second;
      missing.erase(asked);
      // Another version than the one that was listed is told by the next sync, under its own id.
      if (is_gone || (resource.etag && version_of(*resource.etag) != version_in(id))) continue;
      RETURN_IF_ERROR(sink.take({id, form_of(folder), with_line_ends(std::move(*resource.content))}));
    }
  }
  for (const auto& [name, id] : missing) RETURN_IF_ERROR(fetch_one(folder, name, id, sink, deadline));
  return done();
}

Status DavMailbox::fetch_one(const Folder& folder, const std::string& name, const std::string& id, const Sink& sink,
                             const Deadline& deadline) {
  Result<DavAnswer> answer = session_.ask(
      {.method = "GET", .path = folder.id + name, .fields = {}, .body = {}, .answer_bytes_max = settings_.item_bytes_max},
      deadline);
  const bool is_not_allowed = !answer && answer.error().kind == ErrorKind::denied && session_.is_open();
  if (is_not_allowed) return done();  // not given
  if (!answer) return answer.error();
  if (answer->is_too_long) {
    sink.too_large(id, settings_.item_bytes_max);
    return done();
  }
  if (passes_by_itself(answer->status)) return error_of_item(answer->status);
  if (answer->status != 200 || answer->body.empty()) return done();
  if (!answer->etag.empty() && answer->etag != version_in(id)) return done();
  return sink.take({id, form_of(folder), with_line_ends(std::move(answer->body))});
}

Result<Folder> DavMailbox::make_folder(const FolderPath& path, const Deadline& deadline) {
  const std::string rule = "a calendar is restored as 'Calendars/NAME', an address book as 'Address books/NAME'";
  const bool is_calendar = !path.empty() && path.front() == calendars_name;
  const bool is_address_book = !path.empty() && path.front() == address_books_name;
  if (path.size() != 2 || path[1].empty() || (!is_calendar && !is_address_book)) return Error{ErrorKind::unsupported, rule, rule};
  ASSIGN_OR_RETURN(const std::vector<Folder> known, folders(deadline));
  for (const Folder& folder : known) {
    if (folder.path == path) return folder;
  }
  // A path of its own: the one of a collection that was there before may be kept free by the server.
  return make_collection(path, Id::random().text(), deadline);
}

Result<Folder> DavMailbox::make_scratch(Id job, const FolderPath& like, const Deadline& deadline) {
  const bool is_contacts = !like.empty() && like.front() == address_books_name;
  const std::string number = std::to_string(++scratches_);
  return make_collection({std::string(is_contacts ? address_books_name : calendars_name), scratch_name(job) + " " + number},
                         std::string(http::proof_collection_prefix) + job.text() + "-" + number, deadline);
}

Status DavMailbox::remove_scratch(Id job, const Deadline& deadline) {
  const std::string of_job = std::string(http::proof_collection_prefix) + job.text() + "-";
  ASSIGN_OR_RETURN(const std::vector<Folder> known, folders(deadline));
  for (const Folder& folder : known) {
    const std::string_view name = dav::name_in_path(folder.id);
    if (!name.starts_with(of_job) || !http::is_proof_collection(name)) continue;
    const Result<DavAnswer> answer = session_.ask({.method = "DELETE", .path = folder.id}, deadline);
    if (!answer) return answer.error();
    const bool is_gone = answer->status == 404 || answer->status == 410;
    if (!is_gone && answer->status != 200 && answer->status != 204) return error_of(answer->status);
  }
  return done();
}

// `name` is the last one of its path.
Result<Folder> DavMailbox::make_collection(const FolderPath& path, const std::string& name, const Deadline& deadline) {
  const bool is_calendar = path.front() == calendars_name;
  const std::vector<std::string>& homes = is_calendar ? calendar_homes_ : address_book_homes_;
  if (homes.empty()) return Error{ErrorKind::unsupported, "the account has no home for such a collection"};
  const std::string home = homes.front().ends_with('/') ? homes.front() : homes.front() + "/";
  const std::string made = home + name + "/";
  const std::string body = is_calendar ? dav::write_make_calendar(path[1]) : dav::write_make_address_book(path[1]);
  const Result<DavAnswer> answer = session_.ask({.method = is_calendar ? "MKCALENDAR" : "MKCOL",
                                                 .path = made,
                                                 .fields = "Content-Type: application/xml; charset=utf-8\r\n",
                                                 .body = body},
                                                deadline);
  if (!answer) return answer.error();
  // 405: it is there already, from a request of ours whose answer was lost.
  if (answer->status != 201 && answer->status != 200 && !(answer->was_repeated && answer->status == 405))
    return error_of(answer->status);
  ASSIGN_OR_RETURN(const std::vector<Folder> now, folders(deadline));
  for (const Folder& folder : now) {
    if (folder.path == path) return folder;
  }
  return contradicts("a collection it made is not there");
}

Result<std::string> DavMailbox::add(const Folder& folder, const Item& item, const Deadline& deadline) {
  const bool is_contact = form_of(folder) == ContentForm::vcard;
  if (is_contact != (item.form == ContentForm::vcard) || item.form == ContentForm::mime)
    return Error{ErrorKind::denied, "an item of another kind than its folder"};
  std::string name(item_name(item.head.id));
  if (name.empty() || dav::path_of_href(folder.id + name) != folder.id + name)
    name = Id::random().text() + (is_contact ? ".vcf" : ".ics");
  ASSIGN_OR_RETURN(const DavAnswer answer, put(folder.id + name, "If-None-Match: *\r\n", item, deadline));
  return id_after_put(
      answer, name, "another version of it is there: restore it over that one (--overwrite), or into a folder of its own (--to)");
}

Result<std::string> DavMailbox::replace(const Folder& folder, const std::string& id, const Item& item, const Deadline& deadline) {
  if ((form_of(folder) == ContentForm::vcard) != (item.form == ContentForm::vcard) || item.form == ContentForm::mime)
    return Error{ErrorKind::denied, "an item of another kind than its folder"};
  const std::string name(item_name(id));
  if (name.empty() || dav::path_of_href(folder.id + name) != folder.id + name || !http::is_strong_tag(version_in(id))) {
    const std::string what =
        "the server does not name its versions so that one could be written over and no other (a strong ETag)";
    return Error{ErrorKind::denied, what, what};
  }
  const std::string condition = "If-Match: " + std::string(version_in(id)) + "\r\n";
  ASSIGN_OR_RETURN(const DavAnswer answer, put(folder.id + name, condition, item, deadline));
  return id_after_put(answer, name, "it changed at the server at this very moment: it stays as it is");
}

Result<DavAnswer> DavMailbox::put(const std::string& path, const std::string& condition, const Item& item,
                                  const Deadline& deadline) {
  const std::string type = item.form == ContentForm::vcard ? "text/vcard" : "text/calendar";
  return session_.ask({.method = "PUT",
                       .path = path,
                       .fields = condition + "Content-Type: " + type + "; charset=utf-8\r\n",
                       .body = item.content},
                      deadline);
}

Status DavMailbox::set_flags(const Folder&, const std::string&, const std::vector<std::string>&, const Deadline&) {
  return Error{ErrorKind::unsupported, "events and contacts have no flags"};
}

}  // namespace mailhold::mailboxes
