#include "core/store/object_shelf.h"

#include "core/store/bundle.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {

Result<const EpochKey*> EpochKeys::get(Id tenant, Epoch epoch) { return get(tenant, epoch, 0); }

Result<const EpochKey*> EpochKeys::get(Id tenant, Epoch epoch, std::uint32_t version) {
  const auto found = known_.find({tenant, epoch, version});
  if (found != known_.end()) return static_cast<const EpochKey*>(&found->second);
  ASSIGN_OR_RETURN(EpochKey key,
                   version == 0 ? keys_.day_key(tenant, epoch, deadline_) : keys_.day_key(tenant, epoch, version, deadline_));
  return static_cast<const EpochKey*>(&known_.emplace(std::tuple(tenant, epoch, version), std::move(key)).first->second);
}

namespace {

// A part's token does not stand in the context, and its size does in the length of the head.
ObjectName with_name_of_its_size(ObjectName name) {
  static const std::string token(crypto::sha256_size, '\0');
  if (name.kind == ObjectKind::part) name.name = token;
  return name;
}

}  // namespace

Result<OpenedWrap> ObjectShelf::unwrap(std::vector<WrapRow> rows, EpochKeys& keys) const {
  Error failure{ErrorKind::not_found, "nothing wraps this object any more"};
  for (WrapRow& row : rows) {
    Result<const EpochKey*> key = keys.get(row.tenant, row.epoch, row.key_version);
    if (!key) {
      if (key.error().kind != ErrorKind::not_found) return key.error();  // away: asking for other epochs would not help
      continue;
    }
    Result<SecretText> data_key = unwrap_key(settings_.region, row.tenant, row.object, row.epoch, **key, row.wrap);
    if (data_key) return OpenedWrap{std::move(row), std::move(*data_key)};
    failure = data_key.error();
  }
  return failure;
}

Result<std::string> ObjectShelf::read(ObjectKind kind, Id object, const Place& place, const Deadline& deadline) const {
  if (place.segment == 0) return blobs_.get(blob_name(object), deadline);
  ASSIGN_OR_RETURN(segments::Record record, packs_.read(place.location()));
  if (record.type != static_cast<std::uint16_t>(kind)) return Error{ErrorKind::corrupt, "another kind of object lies there"};
  return std::move(record.payload);
}

std::string ObjectShelf::blob_name(Id object) {
  // The random digits first: blobs are spread over folders by how their names begin.
  constexpr std::size_t time_digits = 12;
  const std::string digits = object.text();
  return digits.substr(time_digits) + digits.substr(0, time_digits);
}

Result<std::string> ObjectShelf::load_message(Id tenant, Id message, EpochKeys& keys, const Deadline& deadline,
                                              const Loading& loading) {
  const auto find = [&] { return rows_.wraps_of_name(tenant, message.bytes(), deadline); };
  return load({ObjectKind::message, tenant, Id(), message.bytes()}, find, keys, deadline, loading);
}

Result<std::string> ObjectShelf::load_part(Id tenant, Id part, EpochKeys& keys, const Deadline& deadline) {
  const auto find = [&]() -> Result<NamedWraps> {
    ASSIGN_OR_RETURN(std::vector<WrapRow> wraps, rows_.wraps_of(tenant, part, deadline));
    return NamedWraps{0, std::move(wraps)};
  };
  return load({ObjectKind::part, tenant, part, {}}, find, keys, deadline, {});
}

Result<std::string> ObjectShelf::load(ObjectName name, const FindWraps& find, EpochKeys& keys, const Deadline& deadline,
                                      const Loading& loading) {
  for (int attempt = 0;; ++attempt) {
    ASSIGN_OR_RETURN(NamedWraps found, find());
    const bool is_known = found.member > 0 && loading.bundle != nullptr && !found.wraps.empty() &&
                          found.wraps.front().object == loading.bundle->object;
    if (is_known) return content_of_member(name, found.member, loading.bundle->bundle);
    ASSIGN_OR_RETURN(OpenedWrap wrap, unwrap(std::move(found.wraps), keys));
    name.object = wrap.row.object;
    const ObjectKind kind = found.member == 0 ? name.kind : ObjectKind::bundle;
    Result<std::string> bytes = read(kind, name.object, wrap.row.place, deadline);
    // It may have been moved between the two look-ups: then the row says so now.
    if (!bytes && bytes.error().kind == ErrorKind::not_found && attempt == 0) continue;
    if (!bytes && bytes.error().kind == ErrorKind::not_found) {
      return Error{ErrorKind::corrupt, "the place of object " + name.object.text() + " is gone"};
    }
    if (!bytes && bytes.error().kind != ErrorKind::corrupt) return bytes.error();
    Result<std::string> content = !bytes              ? Result<std::string>(bytes.error())
                                  : found.member == 0 ? open_alone(name, wrap, *bytes)
                                                      : open_member(name, found.member, wrap, *bytes, loading);
    if (!content && content.error().kind == ErrorKind::corrupt) {
      auto saved = load_from_damage(name, found.member, wrap, loading.is_of, keys, deadline);
      if (saved || saved.error().is_temporary()) content = std::move(saved);
    }
    if (content && loading.opened != nullptr) *loading.opened = std::move(wrap);
    return content;
  }
}

// The bytes at its place, whatever the record's checksum says; not_found if there are none. corrupt if there are more than one of
// its kind can have.
Result<std::string> ObjectShelf::read_as_it_lies(const OpenedWrap& wrap, std::uint64_t bytes_max,
                                                 const Deadline& deadline) const {
  const Place& place = wrap.row.place;
  if (place.length > bytes_max) return Error{ErrorKind::corrupt, "another kind of object lies there"};
  if (place.segment == 0) return blobs_.get(blob_name(wrap.row.object), deadline);
  return packs_.read_damaged(place.location());
}

// What was sealed, where all of it still opens: a damaged head or checksum does no harm.
Result<std::string> ObjectShelf::load_from_damage(const ObjectName& name, std::uint32_t member, const OpenedWrap& wrap,
                                                  const MessageStore::IsOf& is_of, EpochKeys& keys, const Deadline& deadline) {
  const Error damaged{ErrorKind::corrupt, "object " + wrap.row.object.text() + " is damaged"};
  if (member == 0) {
    ASSIGN_OR_RETURN(const std::string bytes, read_as_it_lies(wrap, bytes_max_at(wrap.row.place), deadline));
    ASSIGN_OR_RETURN(const sealed::Remains remains,
                     open_object_remains(settings_.region, with_name_of_its_size(name), wrap.data_key.reveal(), bytes));
    if (!remains.has(0, remains.plaintext.size())) return damaged;
    return unpack(remains.plaintext, content_bytes_max());
  }
  ASSIGN_OR_RETURN(const Bundle remains, remains_by_head_or_names(wrap, is_of, keys, deadline));
  if (member > remains.stored.size() || remains.stored[member - 1].empty()) return damaged;
  return content_of_member(name, member, remains);
}

// All names of the tenant are looked at only where the head is damaged too.
Result<Bundle> ObjectShelf::remains_by_head_or_names(const OpenedWrap& wrap, const MessageStore::IsOf& is_of, EpochKeys& keys,
                                                     const Deadline& deadline) {
  Result<Bundle> by_head = remains_of(wrap, {}, is_of, keys, deadline);
  if (by_head || by_head.error().kind != ErrorKind::corrupt) return by_head;
  ASSIGN_OR_RETURN(const std::vector<NameRow> members, rows_.names_of(wrap.row.tenant, wrap.row.object, deadline));
  return remains_of(wrap, members, is_of, keys, deadline);
}

Result<Soundness> ObjectShelf::judge_message(Id tenant, Id message, EpochKeys& keys, const Deadline& deadline) {
  return judge({ObjectKind::message, tenant, Id(), message.bytes()}, rows_.wraps_of_name(tenant, message.bytes(), deadline), keys,
               deadline);
}

Result<Soundness> ObjectShelf::judge_part(Id tenant, Id part, EpochKeys& keys, const Deadline& deadline) {
  Result<std::vector<WrapRow>> wraps = rows_.wraps_of(tenant, part, deadline);
  if (!wraps) return wraps.error();
  return judge({ObjectKind::part, tenant, part, {}}, NamedWraps{0, std::move(*wraps)}, keys, deadline);
}

// Salt and commitment of its key show whose bytes they are, and nothing else does.
Result<Soundness> ObjectShelf::judge(const ObjectName& name, const Result<NamedWraps>& found, EpochKeys& keys,
                                     const Deadline& deadline) {
  const auto passes = [](const Error& error) { return error.is_temporary() || error.kind == ErrorKind::cancelled; };
  if (!found) return found.error();
  if (found->wraps.empty()) return Soundness::not_in_records;
  const Result<OpenedWrap> wrap = unwrap(found->wraps, keys);
  if (!wrap && passes(wrap.error())) return wrap.error();
  if (!wrap) return wrap.error().kind == ErrorKind::not_found ? Soundness::key_missing : Soundness::key_does_not_fit;
  const Result<std::string> bytes = read_as_it_lies(*wrap, bytes_max_at(wrap->row.place), deadline);
  if (!bytes && passes(bytes.error())) return bytes.error();
  if (!bytes) return bytes.error().kind == ErrorKind::not_found ? Soundness::bytes_missing : Soundness::bytes_of_another;
  if (found->member == 0) {
    ObjectName of_wrap = with_name_of_its_size(name);
    of_wrap.object = wrap->row.object;
    const auto remains = open_object_remains(settings_.region, of_wrap, wrap->data_key.reveal(), *bytes);
    return remains ? Soundness::damaged : Soundness::bytes_of_another;
  }
  const auto remains = remains_by_head_or_names(*wrap, {}, keys, deadline);
  if (!remains && passes(remains.error())) return remains.error();
  return remains ? Soundness::damaged : Soundness::bytes_of_another;
}

Result<std::string> ObjectShelf::content_of_member(const ObjectName& name, std::uint32_t member, const Bundle& bundle) {
  if (member > bundle.messages.size() || bundle.messages[member - 1].bytes() != name.name)
    return Error{ErrorKind::corrupt, "another message lies there"};
  return unpack(bundle.stored[member - 1], bundled_message_bytes_max);
}

Result<Bundle> ObjectShelf::open_bundle(const OpenedWrap& wrap, std::string_view bytes) const {
  ASSIGN_OR_RETURN(const ObjectView view, parse_object(bytes));
  // The ids are what stands in the head: they are in the context, so that under others it does not open.
  const ObjectName name{ObjectKind::bundle, wrap.row.tenant, wrap.row.object, view.name.name};
  Bundle bundle{split_ids(name.name), {}};
  ASSIGN_OR_RETURN(const std::string joined, open_object(settings_.region, name, wrap.data_key.reveal(), bytes));
  ASSIGN_OR_RETURN(bundle.stored, parse_bundle(joined, bundle.messages.size()));
  return bundle;
}

namespace {

// The ids in a damaged bundle's head: as they lie there, but for those whose names are known; or by the names alone.
std::vector<Id> ids_of(std::string_view bytes, const std::vector<NameRow>& members, bool reads_head) {
  std::vector<Id> ids;
  if (const Result<ObjectView> view = parse_object(bytes); reads_head && view && view->name.kind == ObjectKind::bundle)
    ids = split_ids(view->name.name);
  for (const NameRow& each : members) {
    if (each.member == 0 || each.member > bundle_messages_most) continue;
    if (each.member > ids.size()) ids.resize(each.member);
    ids[each.member - 1] = Id::from_bytes(each.name);
  }
  return ids;
}

}  // namespace

Result<Bundle> ObjectShelf::remains_of(const OpenedWrap& wrap, const std::vector<NameRow>& members,
                                       const MessageStore::IsOf& is_of, EpochKeys& keys, const Deadline& deadline) {
  const Error not_there{ErrorKind::corrupt, "what lies at the place of bundle " + wrap.row.object.text() +
                                                " is not it, or damaged where its seal begins"};
  const Result<std::string> bytes = read_as_it_lies(wrap, sealed::compact_size(2 * bundle_bytes_max), deadline);
  if (!bytes && bytes.error().kind == ErrorKind::corrupt) return not_there;
  if (!bytes && bytes.error().kind == ErrorKind::not_found)
    return Error{ErrorKind::corrupt, "the place of bundle " + wrap.row.object.text() + " is gone"};
  if (!bytes) return bytes.error();
  const auto is_content_of = [&](Id message, const Recipe& recipe) -> Result<bool> {
    if (!is_of(message, recipe.sha256)) return false;
    return gives(wrap.row.tenant, recipe, keys, deadline);
  };
  for (const bool reads_head : {true, false}) {
    Bundle bundle{ids_of(*bytes, members, reads_head), {}};
    const std::string name = join_ids(bundle.messages);
    const auto remains = open_object_remains(settings_.region, {ObjectKind::bundle, wrap.row.tenant, wrap.row.object, name},
                                             wrap.data_key.reveal(), *bytes);
    if (!remains) continue;
    ASSIGN_OR_RETURN(bundle.stored, parse_remains(*remains, bundle.messages, is_of ? is_content_of : IsContentOf()));
    return bundle;
  }
  return not_there;
}

// Whether the message that the recipe speaks of comes of it: a recipe alone may state any SHA-256.
Result<bool> ObjectShelf::gives(Id tenant, const Recipe& recipe, EpochKeys& keys, const Deadline& deadline) {
  std::optional<Error> trouble;
  const auto load = [&](Id part) {
    Result<std::string> bytes = load_part(tenant, part, keys, deadline);
    if (!bytes && bytes.error().kind != ErrorKind::not_found) trouble = bytes.error();
    return bytes;
  };
  const Result<std::string> message = assemble(recipe, settings_.message_bytes_max, load);
  if (trouble) return *trouble;  // it may still come of it
  return static_cast<bool>(message);
}

Result<std::string> ObjectShelf::open_alone(const ObjectName& name, const OpenedWrap& wrap, std::string_view bytes) const {
  ASSIGN_OR_RETURN(const std::string packed, open_object(settings_.region, name, wrap.data_key.reveal(), bytes));
  return unpack(packed, content_bytes_max());
}

Result<std::string> ObjectShelf::open_member(const ObjectName& name, std::uint32_t member, const OpenedWrap& wrap,
                                             std::string_view bytes, const Loading& loading) const {
  ASSIGN_OR_RETURN(Bundle bundle, open_bundle(wrap, bytes));
  Result<std::string> content = content_of_member(name, member, bundle);
  if (loading.bundle != nullptr) *loading.bundle = {wrap.row.object, std::move(bundle)};
  return content;
}

}  // namespace mailhold::store
