// PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2), for SCRAM only: our own passphrases go through Argon2id. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/secret_text.h"

namespace mailhold::crypto {

SecretText pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations);  // 32 bytes

}  // namespace mailhold::crypto
