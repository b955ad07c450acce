// How one key of the hierarchy is sealed under the one above it, in a context rebuilt from its place. Holds nothing, so that any
// thread may wrap keys anew that were copied for it. Internal to this room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/keystore.h"

namespace mailhold::keys {

// The key that wraps others, as their contexts name it.
struct WrappingKey {
  Id id;
  std::uint32_t version = 0;
  std::string_view key;  // as long as the hierarchy is not closed or asked for another key
};

KeyRow wrap_key(const std::string& region, const KeyPlace& place, std::string_view key, const WrappingKey& above,
                Milliseconds now);
// not_found if it was destroyed; corrupt.
Result<SecretText> unwrap_key(const std::string& region, const KeyRow& row, const WrappingKey& above);
Result<KeyRow> rewrap_key(const std::string& region, const KeyRow& row, const WrappingKey& above, const WrappingKey& newest);

}  // namespace mailhold::keys
