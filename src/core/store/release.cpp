#include "core/store/release.h"

#include <algorithm>

#include "core/store/bundle.h"

namespace mailhold::store {

Result<std::uint64_t> Release::run(Id tenant, const std::vector<Id>& messages, Parts parts) {
  going_.insert(messages.begin(), messages.end());
  std::map<Id, std::vector<Id>> objects;  // and which of the messages lie there
  std::set<Id> bundles;
  for (const Id& message : messages) {
    ASSIGN_OR_RETURN(const std::optional<NameRow> name, rows_.find_name(tenant, message.bytes(), deadline_));
    if (!name) continue;
    objects[name->object].push_back(message);
    if (name->member > 0) bundles.insert(name->object);
  }
  RETURN_IF_ERROR(leave_bundles(tenant, bundles, parts, objects));
  std::set<Id> names = going_;
  for (const auto& stay : salvaged_.stay) names.erase(stay.message);
  names.insert(salvaged_.lost.begin(), salvaged_.lost.end());
  RETURN_IF_ERROR(objects_.write_bytes(deadline_));
  std::uint64_t count = 0;
  const auto work = [&](records::Session& session) -> Status {
    // The new rows first: parts that what is left uses must not look unused.
    RETURN_IF_ERROR(objects_.write_rows(session, deadline_));
    for (const auto& [object, ignored] : objects) {
      ASSIGN_OR_RETURN(const std::uint64_t wraps, parts == Parts::stay
                                                      ? StoreRows::remove_object(session, tenant, object, deadline_)
                                                      : StoreRows::remove_object_and_parts(session, tenant, object, deadline_));
      count += wraps;
    }
    return StoreRows::remove_names(session, tenant, {names.begin(), names.end()}, deadline_);
  };
  RETURN_IF_ERROR(rows_.transaction(work, deadline_));
  RETURN_IF_ERROR(rows_.forget_deleted(deadline_));
  return count;
}

// One that has to stay is taken out of the objects, with nothing changed.
Status Release::leave_bundles(Id tenant, const std::set<Id>& bundles, Parts parts, std::map<Id, std::vector<Id>>& objects) {
  for (const Id& bundle : bundles) {
    const std::size_t lost_before = salvaged_.lost.size();
    const Status written = write_rest_anew(tenant, bundle, parts);
    if (written) continue;
    const Error& error = written.error();
    if (!salvage_.may_lose || error.is_temporary() || error.kind == ErrorKind::cancelled) return error;
    salvaged_.lost.resize(lost_before);
    for (const Id& message : objects[bundle]) salvaged_.stay.push_back({message, error});
    objects.erase(bundle);
  }
  return done();
}

Status Release::write_rest_anew(Id tenant, Id bundle, Parts parts) {
  ASSIGN_OR_RETURN(const std::vector<WrapRow> wraps, rows_.wraps_of(tenant, bundle, deadline_));
  const Result<OpenedWrap> opened = shelf_.unwrap(wraps, epoch_keys_);
  const bool has_no_key = !opened && opened.error().kind == ErrorKind::not_found;
  // Its days were forgotten: nothing in it can be read any more, and there is nothing to save.
  if (has_no_key && (wraps.empty() || parts == Parts::stay)) return done();
  Result<std::vector<MessageContent>> rest = opened ? rest_of(*opened) : Result<std::vector<MessageContent>>(opened.error());
  const bool may_be_damaged = !rest && rest.error().kind == ErrorKind::corrupt && salvage_.may_lose;
  if (has_no_key || may_be_damaged) rest = rest_of_damaged(tenant, bundle, opened);
  if (!rest) return rest.error();
  if (rest->empty()) return done();
  ASSIGN_OR_RETURN(const std::vector<WrapUnder> epochs, epochs_of(wraps));
  objects_.add_messages(tenant, *rest, epochs);
  return done();
}

// What the bundle holds of messages that stay. One whose name means another object was kept anew and stays there; one whose name
// was lost gets it again.
Result<std::vector<MessageContent>> Release::rest_of(const OpenedWrap& wrap) {
  const Id tenant = wrap.row.tenant, object = wrap.row.object;
  const Result<std::string> bytes = shelf_.read(ObjectKind::bundle, object, wrap.row.place, deadline_);
  if (!bytes && bytes.error().kind == ErrorKind::not_found)
    return Error{ErrorKind::corrupt, "the place of bundle " + object.text() + " is gone"};
  if (!bytes) return bytes.error();
  ASSIGN_OR_RETURN(Bundle bundle, shelf_.open_bundle(wrap, *bytes));
  std::vector<MessageContent> rest;
  for (std::size_t i = 0; i < bundle.messages.size(); ++i) {
    ASSIGN_OR_RETURN(const bool stays_here, stays(tenant, object, bundle.messages[i], i));
    if (!stays_here) continue;
    ASSIGN_OR_RETURN(MessageContent one, content_of(bundle, i));
    rest.push_back(std::move(one));
  }
  return rest;
}

// A member whose place is here and who does not go.
Result<bool> Release::stays(Id tenant, Id object, Id message, std::size_t index) {
  if (going_.contains(message)) return false;
  ASSIGN_OR_RETURN(const std::optional<NameRow> name, rows_.find_name(tenant, message.bytes(), deadline_));
  return !name || (name->object == object && name->member == index + 1);
}

Result<MessageContent> Release::content_of(Bundle& bundle, std::size_t index) {
  ASSIGN_OR_RETURN(const std::string content, unpack(bundle.stored[index], bundled_message_bytes_max));
  ASSIGN_OR_RETURN(const Recipe recipe, parse_recipe(content));
  return MessageContent{bundle.messages[index], std::move(bundle.stored[index]), parts_of(recipe)};
}

// What does not open or makes no sense cannot be read. Any other trouble says nothing of it.
Result<std::vector<MessageContent>> Release::rest_of_damaged(Id tenant, Id object, const Result<OpenedWrap>& wrap) {
  ASSIGN_OR_RETURN(const std::vector<NameRow> members, rows_.names_of(tenant, object, deadline_));
  const auto goes = [&](const NameRow& each) { return going_.contains(Id::from_bytes(each.name)); };
  std::vector<MessageContent> rest;
  if (std::ranges::all_of(members, goes)) return rest;
  Bundle remains;
  if (wrap) {
    ASSIGN_OR_RETURN(remains, shelf_.remains_of(*wrap, members, salvage_.is_of, epoch_keys_, deadline_));
  } else if (wrap.error().kind != ErrorKind::not_found) {
    // A key that does not fit says nothing of the bytes: the keystore may be the one that is wrong.
    return wrap.error();
  }
  std::set<Id> found;
  for (std::size_t i = 0; i < remains.messages.size(); ++i) {
    ASSIGN_OR_RETURN(const bool stays_here, stays(tenant, object, remains.messages[i], i));
    if (!stays_here) continue;
    Result<MessageContent> one = content_of(remains, i);
    if (!one && one.error().is_temporary()) return one.error();
    if (!one) continue;
    found.insert(one->message);
    rest.push_back(std::move(*one));
  }
  std::vector<Id> unreadable;
  for (const NameRow& each : members) {
    const Id message = Id::from_bytes(each.name);
    if (!going_.contains(message) && !found.contains(message)) unreadable.push_back(message);
  }
  RETURN_IF_ERROR(lose(unreadable));
  return rest;
}

Status Release::lose(const std::vector<Id>& unreadable) {
  if (unreadable.empty()) return done();
  const std::string others = std::to_string(unreadable.size()) + " others of its bundle cannot be read";
  if (!salvage_.may_lose) return Error{ErrorKind::not_found, others};
  ASSIGN_OR_RETURN(const bool may, salvage_.may_lose(unreadable));
  if (!may) return Error{ErrorKind::denied, others + ", and must not be lost"};
  salvaged_.lost.insert(salvaged_.lost.end(), unreadable.begin(), unreadable.end());
  return done();
}

// Those whose keys are there; a day that was destroyed keeps nothing alive.
Result<std::vector<WrapUnder>> Release::epochs_of(const std::vector<WrapRow>& wraps) {
  std::vector<WrapUnder> epochs;
  for (const WrapRow& wrap : wraps) {
    const Result<const EpochKey*> key = epoch_keys_.get(wrap.tenant, wrap.epoch);
    if (key)
      epochs.push_back({wrap.epoch, *key});
    else if (key.error().kind != ErrorKind::not_found)
      return key.error();
  }
  if (epochs.empty()) return Error{ErrorKind::not_found, "no key is left to wrap a bundle with"};
  return epochs;
}

}  // namespace mailhold::store
