#include "core/store/keep_batch.h"

#include "base/bytes.h"
#include "core/store/bundle.h"

namespace mailhold::store {

Result<Kept> KeepBatch::add(const NewMessage& message, std::optional<PreparedMessage> prepared) {
  Kept kept;
  const Epoch epoch = day_of(message.kept_since);
  if (!messages_.insert({message.tenant, message.message}).second) return kept;
  ASSIGN_OR_RETURN(const NamedWraps known,
                   StoreRows::wraps_of_name(session_, message.tenant, message.message.bytes(), deadline_));
  if (!known.wraps.empty()) return kept;
  if (!prepared) {
    ASSIGN_OR_RETURN(prepared, rooms_.preparation.prepare_always(message));
  }
  for (std::size_t i = 0; i < prepared->parts.size(); ++i) {
    CutPart& part = prepared->cut.parts[i];
    ASSIGN_OR_RETURN(const Id object, find_or_add({message.tenant, epoch, prepared->parts[i], part}, kept));
    if (object == prepared->parts[i].object) continue;
    prepared->cut.recipe.pieces[part.piece].part = object;
    prepared->stored.clear();  // it was compressed with another one's id
  }
  if (prepared->stored.empty())
    prepared->stored = rooms_.objects.packing.compress(encode(prepared->cut.recipe), message.in_haste);
  RETURN_IF_ERROR(add_recipe({message.tenant, epoch}, message.message, std::move(*prepared), kept));
  return kept;
}

Result<Id> KeepBatch::find_or_add(const PartToKeep& part, Kept& kept) {
  const std::string key = RecentParts::key(part.tenant, part.epoch, part.prepared.token);
  if (const auto found = parts_.find(key); found != parts_.end()) {
    ++kept.parts_shared;
    return found->second;
  }
  if (const std::optional<Id> known = rooms_.recent.find(key)) {
    ++kept.parts_shared;
    return *known;
  }
  Result<Id> object = find(part);
  if (!object && object.error().kind != ErrorKind::not_found) return object.error();
  if (object) {
    ++kept.parts_shared;
  } else {
    ASSIGN_OR_RETURN(const EpochKey* const epoch_key, epoch_keys_.get(part.tenant, part.epoch));
    const WrapUnder under{part.epoch, epoch_key};
    const NewObjects::Added added = objects_.add_part(part.tenant, part.prepared, part.cut, {&under, 1});
    object = added.object;
    kept.bytes_written += added.bytes;
    ++kept.parts_new;
  }
  parts_.emplace(key, *object);
  return object;
}

// A part that the tenant has already, wrapped under this epoch too. not_found if it has to be written.
Result<Id> KeepBatch::find(const PartToKeep& part) {
  ASSIGN_OR_RETURN(NamedWraps known, StoreRows::wraps_of_name(session_, part.tenant, part.prepared.token, deadline_));
  for (const WrapRow& row : known.wraps) {
    if (row.epoch == part.epoch) return row.object;
  }
  Result<OpenedWrap> opened = rooms_.shelf.unwrap(std::move(known.wraps), epoch_keys_);
  if (!opened) {
    if (opened.error().kind != ErrorKind::corrupt) return opened.error();
    return Error{ErrorKind::not_found, opened.error().detail};  // written anew rather than never again
  }
  ASSIGN_OR_RETURN(const EpochKey* const key, epoch_keys_.get(part.tenant, part.epoch));
  WrapRow row = std::move(opened->row);
  row.epoch = part.epoch;
  row.key_version = key->version;
  row.wrap = wrap_key(rooms_.objects.settings.region, row.tenant, row.object, row.epoch, *key, opened->data_key.reveal());
  const Id object = row.object;
  objects_.add_wrap(std::move(row));
  return object;
}

// A small message waits for others of its tenant and day.
Status KeepBatch::add_recipe(const Whose& whose, Id message, PreparedMessage prepared, Kept& kept) {
  MessageContent content{message, std::move(prepared.stored), parts_of(prepared.cut.recipe)};
  if (rooms_.objects.settings.bundle_messages_max < 2 || prepared.encoded_bytes > bundled_message_bytes_max) {
    ASSIGN_OR_RETURN(const std::uint64_t bytes, add_messages(whose, {std::move(content)}));
    kept.bytes_written += bytes;
    return done();
  }
  OpenBundle& bundle = bundles_[whose];
  const std::size_t size = content.stored.size();
  if (!bundle.messages.empty() && bundle.bytes + size > bundle_bytes_max) {
    RETURN_IF_ERROR(add_messages(whose, bundle.messages));
    bundle = {};
  }
  bundle.bytes += size;
  bundle.messages.push_back(std::move(content));
  kept.bytes_written += size;
  if (bundle.messages.size() < rooms_.objects.settings.bundle_messages_max) return done();
  RETURN_IF_ERROR(add_messages(whose, bundle.messages));
  bundle = {};
  return done();
}

Result<std::uint64_t> KeepBatch::add_messages(const Whose& whose, const std::vector<MessageContent>& messages) {
  ASSIGN_OR_RETURN(const EpochKey* const key, epoch_keys_.get(whose.first, whose.second));
  const WrapUnder under{whose.second, key};
  return objects_.add_messages(whose.first, messages, {&under, 1}).bytes;
}

Status KeepBatch::write() {
  for (const auto& [whose, bundle] : bundles_) {
    if (!bundle.messages.empty()) RETURN_IF_ERROR(add_messages(whose, bundle.messages));
  }
  RETURN_IF_ERROR(objects_.write_bytes(deadline_));
  return objects_.write_rows(session_, deadline_);
}

void KeepBatch::remember() const {
  for (const auto& [key, object] : parts_) rooms_.recent.add(key, object);
}

}  // namespace mailhold::store
