#include "core/store/known_bodies.h"

#include "base/bytes.h"
#include "platform/crypto/mac.h"

namespace mailhold::store {
namespace {

constexpr std::size_t bodies_max = 20'000;  // some 200 bytes each

}  // namespace

KnownBodies::KnownBodies(std::size_t bytes_min) : bytes_min_(bytes_min), key_(SecretText::random(crypto::gmac_key_size)) {}

std::string KnownBodies::name(Id tenant, std::string_view body) const {
  if (body.size() < bytes_min_) return {};
  return ByteWriter().raw(tenant.bytes()).u64(body.size()).raw(crypto::gmac_aes128(key_.reveal(), body)).take();
}

std::optional<KnownBody> KnownBodies::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = bodies_.find(name);
  return found != bodies_.end() ? std::optional(found->second) : std::nullopt;
}

void KnownBodies::clear() {
  const std::lock_guard lock(mutex_);
  bodies_.clear();
}

void KnownBodies::add(const std::string& name, KnownBody body) {
  const std::lock_guard lock(mutex_);
  if (bodies_.size() >= bodies_max) bodies_.clear();
  bodies_.insert_or_assign(name, std::move(body));
}

}  // namespace mailhold::store
