// StoreKeys: the keys the store needs, fulfilled by core/keys' KeyClient. Any thread.
#pragma once

#include <cstdint>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::store {

// An epoch is a UTC day since 1970, or a hold: hold_epoch_first plus the number of the hold.
using Epoch = std::uint32_t;
inline constexpr Epoch hold_epoch_first = 0x80000000;

struct EpochKey {
  std::uint32_t version = 0;
  SecretText key;  // 32 bytes
};

class StoreKeys {
 public:
  virtual ~StoreKeys() = default;
  // The newest version; rows name the one they were sealed under. Errors: unavailable when keyd is away or sealed, not_found when
  // the key was destroyed.
  virtual Result<EpochKey> day_key(Id tenant, Epoch epoch, const Deadline& deadline) = 0;
  // The version a row names, to open it. not_found once a rotation has ended it.
  virtual Result<EpochKey> day_key(Id tenant, Epoch epoch, std::uint32_t version, const Deadline& deadline) = 0;
  virtual Result<SecretText> token_key(Id tenant, const Deadline& deadline) = 0;  // HMAC key for finding equal parts
  virtual Result<EpochKey> trace_key(Id tenant, const Deadline& deadline) = 0;
};

}  // namespace mailhold::store
