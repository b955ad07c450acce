#include "features/gateway/queue/tenant_keys.h"

namespace mailhold::queue {

Result<store::EpochKey> TenantKeys::day_key(Id tenant, store::Epoch epoch, const Deadline& deadline) {
  ASSIGN_OR_RETURN(keys::DayKey key, keys_.day_key(tenant, epoch, deadline));
  return store::EpochKey{key.version, std::move(key.key)};
}

Result<store::EpochKey> TenantKeys::day_key(Id tenant, store::Epoch epoch, std::uint32_t version, const Deadline& deadline) {
  ASSIGN_OR_RETURN(keys::DayKey key, keys_.day_key(tenant, epoch, version, deadline));
  return store::EpochKey{key.version, std::move(key.key)};
}

Result<SecretText> TenantKeys::token_key(Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(keys::PurposeKey key, keys_.token_key(tenant, deadline));
  return std::move(key.key);
}

Result<store::EpochKey> TenantKeys::trace_key(Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(keys::PurposeKey key, keys_.purpose_key(tenant, keys::Purpose::trace, deadline));
  return store::EpochKey{key.version, std::move(key.key)};
}

}  // namespace mailhold::queue
