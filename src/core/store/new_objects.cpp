#include "core/store/new_objects.h"

#include <algorithm>
#include <tuple>

#include "base/clock.h"
#include "base/random.h"
#include "core/store/bundle.h"
#include "formats/sealed/sealed.h"

namespace mailhold::store {

SecretText RandomSupply::take(std::size_t count) {
  constexpr std::size_t drawn_at_once = 4096;
  if (bytes_.size() - used_ < count) {
    wipe(bytes_);
    bytes_ = random_bytes(drawn_at_once);
    used_ = 0;
  }
  SecretText taken = SecretText::copy_of(std::string_view(bytes_).substr(used_, count));
  wipe(bytes_.data() + used_, count);
  used_ += count;
  return taken;
}

std::set<Id> parts_of(const Recipe& recipe) {
  std::set<Id> parts;
  for (const Piece& piece : recipe.pieces) {
    if (piece.kind != Piece::Kind::inline_text) parts.insert(piece.part);
  }
  return parts;
}

Id NewObjects::new_id() { return new_object_id(system_clock().now(), random_.take(object_id_random_bytes).reveal()); }

NewObjects::Added NewObjects::add_part(Id tenant, const PreparedPart& part, CutPart& cut, std::span<const WrapUnder> epochs) {
  const bool is_prepared = !part.packed.empty();
  const Id object = is_prepared ? part.object : new_id();
  names_.push_back({tenant, part.token, object, 0});
  return {object, add({ObjectKind::part, tenant, object, part.token},
                      is_prepared ? part.packed : rooms_.packing.pack(cut.bytes(), part.in_haste), epochs)};
}

NewObjects::Added NewObjects::add_messages(Id tenant, const std::vector<MessageContent>& messages,
                                           std::span<const WrapUnder> epochs) {
  const Id object = new_id();
  const bool is_bundle = messages.size() > 1;
  std::vector<Id> ids;
  std::vector<std::string_view> contents;
  std::set<Id> used{object};
  for (const MessageContent& each : messages) {
    ids.push_back(each.message);
    contents.push_back(each.stored);
    used.insert(each.parts.begin(), each.parts.end());
    names_.push_back({tenant, std::string(each.message.bytes()), object, is_bundle ? static_cast<std::uint32_t>(ids.size()) : 0});
  }
  if (rooms_.settings.notes_uses) {
    for (const Id& each : used) uses_.push_back({tenant, object, each});
  }
  const std::string name = join_ids(ids);
  const ObjectKind kind = is_bundle ? ObjectKind::bundle : ObjectKind::message;
  return {object, add({kind, tenant, object, name}, encode_bundle(contents), epochs)};
}

std::uint64_t NewObjects::add(const ObjectName& name, std::string_view packed, std::span<const WrapUnder> epochs) {
  const std::string& region = rooms_.settings.region;
  const SecretText data_key = random_.take(sealed::key_size);
  std::string head = encode_object_head(name);
  std::string body = seal_object(region, name, data_key.reveal(), packed);
  const std::uint64_t size = head.size() + body.size();
  const std::size_t first_wrap = wraps_.size();
  for (const WrapUnder& under : epochs) {
    wraps_.push_back({name.tenant,
                      name.object,
                      under.epoch,
                      under.key->version,
                      wrap_key(region, name.tenant, name.object, under.epoch, *under.key, data_key.reveal()),
                      {0, 0, static_cast<std::uint32_t>(size)}});
  }
  if (size > rooms_.settings.packed_part_bytes_max) {
    large_.emplace_back(ObjectShelf::blob_name(name.object), head + body);
  } else {
    record_wraps_.emplace_back(first_wrap, epochs.size());
    records_.push_back({static_cast<std::uint16_t>(name.kind), std::move(head), std::move(body), nullptr});
  }
  return size;
}

Status NewObjects::write_bytes(const Deadline& deadline) {
  for (const auto& [name, bytes] : large_) RETURN_IF_ERROR(rooms_.blobs.put(name, bytes, deadline));
  if (records_.empty()) return done();
  ASSIGN_OR_RETURN(const std::vector<segments::Location> locations, rooms_.packs.append_and_wait(std::move(records_), deadline));
  for (std::size_t i = 0; i < locations.size(); ++i) {
    const auto [first, count] = record_wraps_[i];
    for (std::size_t wrap = first; wrap < first + count; ++wrap)
      wraps_[wrap].place = {locations[i].segment, locations[i].offset, locations[i].length};
  }
  return done();
}

Status NewObjects::write_rows(records::Session& session, const Deadline& deadline) {
  if (wraps_.empty()) return done();
  // In the order of their index: names are random, and in any other order they would leave its pages a third empty.
  std::ranges::stable_sort(names_, {}, [](const NameRow& row) { return std::tie(row.tenant, row.name); });
  RETURN_IF_ERROR(StoreRows::add_uses(session, uses_, deadline));
  return StoreRows::add(session, wraps_, names_, deadline);
}

}  // namespace mailhold::store
