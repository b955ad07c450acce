// X25519 (RFC 7748): the Diffie-Hellman function of our sealed boxes. Keys are 32 raw bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::crypto {

inline constexpr std::size_t x25519_key_size = 32;

struct X25519KeyPair {
  SecretText private_key;
  std::string public_key;
};

X25519KeyPair x25519_generate();
Result<std::string> x25519_public_key(std::string_view private_key);  // invalid_input unless 32 bytes

// invalid_input for keys of wrong size and for points of small order (an all-zero secret, RFC 7748 section 6.1).
Result<SecretText> x25519_shared_secret(std::string_view private_key, std::string_view public_key);

}  // namespace mailhold::crypto
