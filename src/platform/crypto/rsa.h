// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2), as DKIM uses it, and RSASSA-PSS (section 8.1), as JWTs do.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::crypto {

struct RsaVerdict {
  bool valid = false;
  unsigned bits = 0;  // size of the modulus: the caller decides what is too short (RFC 8301 section 3.2)
};

// `key_der` is a SubjectPublicKeyInfo or a PKCS#1 RSAPublicKey. A wrong signature is a verdict, not an error.
// invalid_input if the key cannot be read, is not RSA or has more than 8192 bits.
Result<RsaVerdict> verify_rsa_sha256(std::string_view key_der, std::string_view data, std::string_view signature);

// RSASSA-PSS with SHA-256 and a salt of 32 bytes: PS256 (RFC 7518 section 3.5). As above.
Result<RsaVerdict> verify_rsa_pss_sha256(std::string_view key_der, std::string_view data, std::string_view signature);

// A private key in memory, wiped at its end; its numbers lie in secret memory where the program has some (secret_memory.h), and
// what a signature computes from them does. Any number of threads may sign with one object.
class RsaPrivateKey {
 public:
  static Result<RsaPrivateKey> generate(unsigned bits);         // 1024 to 8192
  static Result<RsaPrivateKey> from_pem(std::string_view pem);  // unencrypted PKCS#8 or PKCS#1; else invalid_input
  // The numbers of the key, each a u16 length and its big-endian bytes: n e d p q dP dQ qInv (RFC 8017 section 3.2). Reading
  // them and signing for the first time, which makes the numbers of the blinding, costs about two signatures; reading PEM costs
  // several.
  static Result<RsaPrivateKey> from_components(std::string_view components);  // invalid_input
  SecretText components() const;
  ~RsaPrivateKey();
  RsaPrivateKey(RsaPrivateKey&&) noexcept;
  RsaPrivateKey& operator=(RsaPrivateKey&&) noexcept;
  RsaPrivateKey(const RsaPrivateKey&) = delete;

  Result<std::string> sign_sha256(std::string_view data) const;
  Result<std::string> sign_pss_sha256(std::string_view data) const;  // a salt of 32 bytes
  unsigned bits() const;
  std::string public_key_der() const;  // SubjectPublicKeyInfo

 private:
  explicit RsaPrivateKey(void* key) : key_(key) {}
  void* key_;
};

}  // namespace mailhold::crypto
