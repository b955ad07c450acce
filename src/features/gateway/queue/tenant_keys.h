// TenantKeys: the keys that the store and the queue need, from keyd. Any thread.
#pragma once

#include "core/keys/key_client.h"
#include "core/store/store_keys.h"

namespace mailhold::queue {

class TenantKeys final : public store::StoreKeys {
 public:
  explicit TenantKeys(keys::KeyClient& keys) : keys_(keys) {}
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, const Deadline& deadline) override;
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, std::uint32_t version, const Deadline& deadline) override;
  Result<SecretText> token_key(Id tenant, const Deadline& deadline) override;
  Result<store::EpochKey> trace_key(Id tenant, const Deadline& deadline) override;

 private:
  keys::KeyClient& keys_;
};

}  // namespace mailhold::queue
