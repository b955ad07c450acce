// Keys as the store and the rows of backups ask for them.
#pragma once

#include "core/keys/key_client.h"
#include "core/store/store_keys.h"

namespace mailhold::worker {

// The keys of tenants that the store and the rows of backups need. Their days are epochs of their own.
class WorkerKeys final : public store::StoreKeys {
 public:
  explicit WorkerKeys(keys::KeyClient& keys) : keys_(keys) {}
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, const Deadline& deadline) override {
    return epoch_key(keys_.day_key(tenant, keys::backup_epoch_first + epoch, deadline));
  }
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, std::uint32_t version, const Deadline& deadline) override {
    return epoch_key(keys_.day_key(tenant, keys::backup_epoch_first + epoch, version, deadline));
  }
  Result<SecretText> token_key(Id tenant, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(keys::PurposeKey key, keys_.token_key(tenant, deadline));
    return std::move(key.key);
  }
  Result<store::EpochKey> trace_key(Id, const Deadline&) override { return Error{ErrorKind::denied, "workerd traces nothing"}; }

 private:
  static Result<store::EpochKey> epoch_key(Result<keys::DayKey> key) {
    if (!key) return key.error();
    return store::EpochKey{key->version, std::move(key->key)};
  }
  keys::KeyClient& keys_;
};

}  // namespace mailhold::worker
