#include "core/store/release.h"

#include "core/store/bundle.h"

namespace mailhold::store {

Result<std::uint64_t> Release::run(Id tenant, const std::vector<Id>& messages, Parts parts) {
  going_.insert(messages.begin(), messages.end());
  std::set<Id> objects, bundles;
  for (const Id& message : messages) {
    ASSIGN_OR_RETURN(const std::optional<NameRow> name, rows_.find_name(tenant, message.bytes(), deadline_));
    if (!name) continue;
    objects.insert(name->object);
    if (name->member > 0) bundles.insert(name->object);
  }
  for (const Id& bundle : bundles) RETURN_IF_ERROR(write_rest_anew(tenant, bundle));
  RETURN_IF_ERROR(objects_.write_bytes(deadline_));
  std::uint64_t count = 0;
  const auto work = [&](records::Session& session) -> Status {
    // The new rows first: parts that what is left uses must not look unused.
    RETURN_IF_ERROR(objects_.write_rows(session, deadline_));
    for (const Id& object : objects) {
      ASSIGN_OR_RETURN(const std::uint64_t wraps, parts == Parts::stay
                                                      ? StoreRows::remove_object(session, tenant, object, deadline_)
                                                      : StoreRows::remove_object_and_parts(session, tenant, object, deadline_));
      count += wraps;
    }
    return StoreRows::remove_names(session, tenant, messages, deadline_);
  };
  RETURN_IF_ERROR(rows_.transaction(work, deadline_));
  RETURN_IF_ERROR(rows_.forget_deleted(deadline_));
  return count;
}

Status Release::write_rest_anew(Id tenant, Id bundle) {
  ASSIGN_OR_RETURN(const std::vector<WrapRow> wraps, rows_.wraps_of(tenant, bundle, deadline_));
  const Result<OpenedWrap> opened = shelf_.unwrap(wraps, epoch_keys_);
  // Its days were forgotten, or their keys destroyed: nothing in it can be read any more, and there is nothing to save.
  if (!opened && opened.error().kind == ErrorKind::not_found) return done();
  if (!opened) return opened.error();
  ASSIGN_OR_RETURN(const std::vector<MessageContent> rest, rest_of(*opened));
  if (rest.empty()) return done();
  ASSIGN_OR_RETURN(const std::vector<WrapUnder> epochs, epochs_of(wraps));
  objects_.add_messages(tenant, rest, epochs);
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
    const Id message = bundle.messages[i];
    if (going_.contains(message)) continue;
    ASSIGN_OR_RETURN(const std::optional<NameRow> name, rows_.find_name(tenant, message.bytes(), deadline_));
    if (name && (name->object != object || name->member != i + 1)) continue;
    ASSIGN_OR_RETURN(const std::string content, unpack(bundle.stored[i], bundled_message_bytes_max));
    ASSIGN_OR_RETURN(const Recipe recipe, parse_recipe(content));
    rest.push_back({message, std::move(bundle.stored[i]), parts_of(recipe)});
  }
  return rest;
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
