// HMAC (RFC 2104) and HKDF (RFC 5869) over SHA-2. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/secret_text.h"

namespace mailhold::crypto {

std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 bytes
std::string hmac_sha512(std::string_view key, std::string_view message);  // 64 bytes

// HKDF-Expand: for keys that are already uniformly random. At most 255 * 64 bytes.
SecretText hkdf_expand_sha512(std::string_view key, std::string_view info, std::size_t size);

// HKDF, extract then expand: for input such as a Diffie-Hellman secret.
SecretText hkdf_sha512(std::string_view input, std::string_view salt, std::string_view info, std::size_t size);

}  // namespace mailhold::crypto
