// OpenSSL's algorithm objects, fetched once per process (a fetch costs more than a small hash), and owners of
// its handles. For the .cpp files of this room only.
#pragma once

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace mailhold::crypto {

const EVP_MD* sha256_algorithm();
const EVP_MD* sha512_algorithm();
const EVP_CIPHER* aes_gcm_algorithm();

// Fails only when memory ran out or OpenSSL is broken: going on would be unsafe.
inline void require(bool holds) {
  if (!holds) std::abort();
}

struct Free {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free>;
using Bio = std::unique_ptr<BIO, Free>;

inline const unsigned char* octets(const char* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
inline unsigned char* octets(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace mailhold::crypto
