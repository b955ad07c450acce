// Ed25519 signatures (RFC 8032). Keys and signatures are raw bytes: seed 32, public key 32, signature 64.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::crypto {

inline constexpr std::size_t ed25519_seed_size = 32;
inline constexpr std::size_t ed25519_public_key_size = 32;
inline constexpr std::size_t ed25519_signature_size = 64;

// Signs with one seed. Any number of threads may sign with one object.
class Ed25519Signer {
 public:
  static Result<Ed25519Signer> from_seed(std::string_view seed);  // invalid_input unless 32 bytes
  ~Ed25519Signer();
  Ed25519Signer(Ed25519Signer&&) noexcept;
  Ed25519Signer& operator=(Ed25519Signer&&) noexcept;
  Ed25519Signer(const Ed25519Signer&) = delete;

  const std::string& public_key() const { return public_key_; }
  std::string sign(std::string_view message) const;

 private:
  Ed25519Signer(void* key, std::string public_key) : key_(key), public_key_(std::move(public_key)) {}
  void* key_;
  std::string public_key_;
};

// False for anything but a right signature, a key or signature of wrong size included.
[[nodiscard]] bool ed25519_verify(std::string_view public_key, std::string_view message, std::string_view signature);

// The raw key out of a SubjectPublicKeyInfo (RFC 8410) or out of 32 raw bytes, as DKIM publishes them (RFC 8463).
// invalid_input for anything else.
Result<std::string> ed25519_public_key_from(std::string_view der_or_raw);

}  // namespace mailhold::crypto
