// Argon2id (RFC 9106, version 1.3, one lane): a key out of a passphrase. Slow and large by intent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::crypto {

inline constexpr std::size_t argon2id_salt_size = 16;

struct Argon2idCost {
  std::uint64_t memory_bytes = 256ull << 20;
  std::uint32_t passes = 3;
};

// 32 bytes. invalid_input for a salt of wrong size or a cost outside 8 KiB..4 GiB and 1..64 passes;
// unavailable if the memory could not be had.
Result<SecretText> argon2id(std::string_view passphrase, std::string_view salt, const Argon2idCost& cost);

}  // namespace mailhold::crypto
