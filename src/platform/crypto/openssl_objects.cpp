#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {

const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  require(algorithm != nullptr);
  return algorithm;
}

const EVP_MD* sha512_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA2-512", nullptr);
  require(algorithm != nullptr);
  return algorithm;
}

const EVP_CIPHER* aes_gcm_algorithm() {
  static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  require(algorithm != nullptr);
  return algorithm;
}

}  // namespace mailhold::crypto
