#include "core/store/keep_batch.h"

#include "base/clock.h"
#include "base/random.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/mac.h"

namespace mailhold::store {
namespace {

constexpr std::size_t recent_parts_max = 50'000;
constexpr std::string_view token_domain = "mailhold part";

}  // namespace

std::string RecentParts::key(Id tenant, Epoch epoch, const std::string& token) {
  ByteWriter writer;
  writer.raw(tenant.bytes()).u32(epoch).raw(token);
  return writer.take();
}

const Id* RecentParts::find(const std::string& key) const {
  const auto found = parts_.find(key);
  return found != parts_.end() ? &found->second : nullptr;
}

void RecentParts::add(const std::string& key, Id object) {
  if (parts_.size() >= recent_parts_max) parts_.clear();
  parts_[key] = object;
}

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

void note_uses(Id tenant, Id message, const Recipe& recipe, std::vector<UseRow>& uses) {
  std::set<Id> used{message};
  for (const Piece& piece : recipe.pieces) {
    if (piece.kind != Piece::Kind::inline_text) used.insert(piece.part);
  }
  for (const Id& each : used) uses.push_back({tenant, message, each});
}

Result<Kept> KeepBatch::add(const NewMessage& message, CutMessage& cut) {
  Kept kept;
  const Epoch epoch = day_of(message.kept_since);
  if (!messages_.insert({message.tenant, message.message}).second) return kept;
  ASSIGN_OR_RETURN(const std::vector<WrapRow> rows,
                   StoreRows::wraps_of_name(session_, message.tenant, message.message.bytes(), deadline_));
  if (!rows.empty()) return kept;
  for (const CutPart& part : cut.parts) {
    ASSIGN_OR_RETURN(std::string token, token_of(message.tenant, part.bytes()));
    ASSIGN_OR_RETURN(cut.recipe.pieces[part.piece].part,
                     find_or_add({message.tenant, epoch, std::move(token), part.bytes()}, kept));
  }
  const Id object = new_object_id(system_clock().now(), random_.take(object_id_random_bytes).reveal());
  const ObjectName name{ObjectKind::message, message.tenant, object, message.message.bytes()};
  RETURN_IF_ERROR(add_object(name, epoch, encode(cut.recipe), kept));
  if (rooms_.settings.notes_uses) note_uses(message.tenant, object, cut.recipe, uses_);
  return kept;
}

Result<std::string> KeepBatch::token_of(Id tenant, std::string_view bytes) {
  auto found = token_keys_.find(tenant);
  if (found == token_keys_.end()) {
    ASSIGN_OR_RETURN(SecretText key, rooms_.keys.token_key(tenant, deadline_));
    found = token_keys_.emplace(tenant, std::move(key)).first;
  }
  return crypto::hmac_sha256(found->second.reveal(), std::string(token_domain) + crypto::sha256(bytes));
}

Result<Id> KeepBatch::find_or_add(const PartToKeep& part, Kept& kept) {
  const std::string key = RecentParts::key(part.tenant, part.epoch, part.token);
  if (const auto found = parts_.find(key); found != parts_.end()) {
    ++kept.parts_shared;
    return found->second;
  }
  if (const Id* known = rooms_.recent.find(key); known != nullptr) {
    ++kept.parts_shared;
    return *known;
  }
  Result<Id> object = find(part);
  if (!object && object.error().kind != ErrorKind::not_found) return object.error();
  if (object) {
    ++kept.parts_shared;
  } else {
    object = new_object_id(system_clock().now(), random_.take(object_id_random_bytes).reveal());
    RETURN_IF_ERROR(add_object({ObjectKind::part, part.tenant, *object, part.token}, part.epoch, part.bytes, kept));
    ++kept.parts_new;
  }
  parts_.emplace(key, *object);
  return object;
}

// A part that the tenant has already, wrapped under this epoch too. not_found if it has to be written.
Result<Id> KeepBatch::find(const PartToKeep& part) {
  ASSIGN_OR_RETURN(std::vector<WrapRow> rows, StoreRows::wraps_of_name(session_, part.tenant, part.token, deadline_));
  for (const WrapRow& row : rows) {
    if (row.epoch == part.epoch) return row.object;
  }
  Result<OpenedWrap> opened = rooms_.shelf.unwrap(std::move(rows), epoch_keys_);
  if (!opened) {
    if (opened.error().kind != ErrorKind::corrupt) return opened.error();
    return Error{ErrorKind::not_found, opened.error().detail};  // written anew rather than never again
  }
  ASSIGN_OR_RETURN(const EpochKey* const key, epoch_keys_.get(part.tenant, part.epoch));
  WrapRow row = std::move(opened->row);
  row.epoch = part.epoch;
  row.key_version = key->version;
  row.wrap = wrap_key(rooms_.settings.region, row.tenant, row.object, row.epoch, *key, opened->data_key.reveal());
  wraps_.push_back(std::move(row));
  return wraps_.back().object;
}

Status KeepBatch::add_object(const ObjectName& name, Epoch epoch, std::string_view content, Kept& kept) {
  ASSIGN_OR_RETURN(const EpochKey* const key, epoch_keys_.get(name.tenant, epoch));
  const SecretText data_key = random_.take(sealed::key_size);
  std::string head = encode_object_head(name);
  std::string body = seal_object(rooms_.settings.region, name, data_key.reveal(), rooms_.packing.pack(content));
  kept.bytes_written += head.size() + body.size();
  WrapRow row{name.tenant,
              name.object,
              epoch,
              key->version,
              wrap_key(rooms_.settings.region, name.tenant, name.object, epoch, *key, data_key.reveal()),
              {}};
  if (head.size() + body.size() > rooms_.settings.packed_part_bytes_max) {
    row.place.length = static_cast<std::uint32_t>(head.size() + body.size());
    large_.emplace_back(ObjectShelf::blob_name(name.object), head + body);
  } else {
    record_wraps_.push_back(wraps_.size());
    records_.push_back({static_cast<std::uint16_t>(name.kind), std::move(head), std::move(body), nullptr});
  }
  wraps_.push_back(std::move(row));
  names_.push_back({name.tenant, std::string(name.name), name.object});
  return done();
}

Status KeepBatch::write() {
  if (wraps_.empty()) return done();
  for (const auto& [name, bytes] : large_) RETURN_IF_ERROR(rooms_.blobs.put(name, bytes, deadline_));
  if (!records_.empty()) {
    ASSIGN_OR_RETURN(const std::vector<segments::Location> locations,
                     rooms_.packs.append_and_wait(std::move(records_), deadline_));
    for (std::size_t i = 0; i < locations.size(); ++i) {
      wraps_[record_wraps_[i]].place = {locations[i].segment, locations[i].offset, locations[i].length};
    }
  }
  RETURN_IF_ERROR(StoreRows::add_uses(session_, uses_, deadline_));
  return StoreRows::add(session_, wraps_, names_, deadline_);
}

void KeepBatch::remember() const {
  for (const auto& [key, object] : parts_) rooms_.recent.add(key, object);
}

}  // namespace mailhold::store
