// HMAC (RFC 2104) and HKDF (RFC 5869) over SHA-2, and GMAC (NIST SP 800-38D). Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/secret_text.h"

namespace mailhold::crypto {

std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 bytes
std::string hmac_sha512(std::string_view key, std::string_view message);  // 64 bytes

// With a nonce of zeros, always the same, so that equal messages have equal tags: five times as fast as SHA-256. Only for tags
// that stay in the process, as its key does: whoever has seen two with their messages can make others.
std::string gmac_aes128(std::string_view key, std::string_view message);  // 16 bytes
inline constexpr std::size_t gmac_key_size = 16;

// HKDF-Expand: for keys that are already uniformly random. At most 255 * 64 bytes.
SecretText hkdf_expand_sha512(std::string_view key, std::string_view info, std::size_t size);

// HKDF, extract then expand: for input such as a Diffie-Hellman secret.
SecretText hkdf_sha512(std::string_view input, std::string_view salt, std::string_view info, std::size_t size);

}  // namespace mailhold::crypto
