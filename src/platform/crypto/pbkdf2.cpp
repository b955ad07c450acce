#include "platform/crypto/pbkdf2.h"

#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {

SecretText pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  SecretText key = SecretText::zeroed(32);
  require(::PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt.data()),
                              static_cast<int>(salt.size()), static_cast<int>(iterations), sha256_algorithm(),
                              static_cast<int>(key.size()), octets(key.data())) == 1);
  return key;
}

}  // namespace mailhold::crypto
