#include "core/store/preparation.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/mac.h"

namespace mailhold::store {
namespace {

constexpr std::size_t recent_parts_max = 50'000;
constexpr std::size_t idle_packings_max = 4;
constexpr std::string_view token_domain = "mailhold part";

}  // namespace

std::string RecentParts::key(Id tenant, Epoch epoch, const std::string& token) {
  ByteWriter writer;
  writer.raw(tenant.bytes()).u32(epoch).raw(token);
  return writer.take();
}

std::optional<Id> RecentParts::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = parts_.find(key);
  return found != parts_.end() ? std::optional(found->second) : std::nullopt;
}

void RecentParts::add(const std::string& key, Id object) {
  const std::lock_guard lock(mutex_);
  if (parts_.size() >= recent_parts_max) parts_.clear();
  parts_[key] = object;
}

void RecentParts::clear() {
  const std::lock_guard lock(mutex_);
  parts_.clear();
}

std::unique_ptr<Packing> Packings::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Packing> packing = std::move(idle_.back());
      idle_.pop_back();
      return packing;
    }
  }
  return std::make_unique<Packing>(compression_);
}

void Packings::give_back(std::unique_ptr<Packing> packing) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < idle_packings_max) idle_.push_back(std::move(packing));
}

Preparation::Preparation(const Rooms& rooms, const Deadline& deadline)
    : rooms_(rooms), deadline_(deadline), packing_(rooms.packings.take()) {}

Preparation::~Preparation() { rooms_.packings.give_back(std::move(packing_)); }

Result<std::optional<PreparedMessage>> Preparation::prepare(const NewMessage& message) {
  ASSIGN_OR_RETURN(const std::optional<Id> known, find(message.tenant, message.message.bytes()));
  if (known) return std::optional<PreparedMessage>();
  ASSIGN_OR_RETURN(PreparedMessage prepared, prepare_always(message));
  return std::optional(std::move(prepared));
}

Result<PreparedMessage> Preparation::prepare_always(const NewMessage& message) {
  PreparedMessage prepared;
  prepared.cut = cut(message, rooms_.settings.shared_part_bytes_min, rooms_.bodies);
  for (CutPart& part : prepared.cut.parts) {
    ASSIGN_OR_RETURN(PreparedPart one, prepare_part(message, part));
    prepared.cut.recipe.pieces[part.piece].part = one.object;
    prepared.parts.push_back(std::move(one));
  }
  const std::string encoded = encode(prepared.cut.recipe);
  prepared.encoded_bytes = encoded.size();
  prepared.stored = packing_->compress(encoded, message.in_haste);
  return prepared;
}

Result<std::string> Preparation::token_of(Id tenant, CutPart& part) {
  auto found = token_keys_.find(tenant);
  if (found == token_keys_.end()) {
    ASSIGN_OR_RETURN(SecretText key, rooms_.keys.token_key(tenant, deadline_));
    found = token_keys_.emplace(tenant, std::move(key)).first;
  }
  return crypto::hmac_sha256(found->second.reveal(), std::string(token_domain) + part.sha256());
}

Result<PreparedPart> Preparation::prepare_part(const NewMessage& message, CutPart& cut) {
  PreparedPart part;
  ASSIGN_OR_RETURN(part.token, token_of(message.tenant, cut));
  const std::string key = RecentParts::key(message.tenant, day_of(message.kept_since), part.token);
  std::optional<Id> known = rooms_.recent.find(key);
  if (const auto found = parts_.find(key); !known && found != parts_.end()) known = found->second;
  if (!known) {
    ASSIGN_OR_RETURN(known, find(message.tenant, part.token));
  }
  part.object = known ? *known : new_object_id(system_clock().now(), random_.take(object_id_random_bytes).reveal());
  part.in_haste = message.in_haste;
  if (!known) part.packed = packing_->pack(cut.bytes(), message.in_haste);
  parts_.emplace(key, part.object);
  return part;
}

// Only where it costs less than what it may save.
Result<std::optional<Id>> Preparation::find(Id tenant, std::string_view name) {
  if (rooms_.settings.compression == Compression::quick) return std::optional<Id>();
  ASSIGN_OR_RETURN(const std::optional<NameRow> row, rooms_.rows.find_name(tenant, name, deadline_));
  return row ? std::optional(row->object) : std::nullopt;
}

}  // namespace mailhold::store
