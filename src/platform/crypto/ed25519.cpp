#include "platform/crypto/ed25519.h"

#include <utility>

#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {
namespace {

// SEQUENCE { SEQUENCE { OID 1.3.101.112 } BIT STRING }, RFC 8410 section 4: what stands before the 32 bytes.
constexpr std::string_view spki_prefix("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12);

}  // namespace

Result<Ed25519Signer> Ed25519Signer::from_seed(std::string_view seed) {
  if (seed.size() != ed25519_seed_size) return Error{ErrorKind::invalid_input, "an Ed25519 seed is 32 bytes"};
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(seed.data()), seed.size());
  require(key != nullptr);
  std::string public_key(ed25519_public_key_size, '\0');
  std::size_t size = public_key.size();
  require(EVP_PKEY_get_raw_public_key(key, octets(public_key.data()), &size) == 1);
  return Ed25519Signer(key, std::move(public_key));
}

Ed25519Signer::~Ed25519Signer() { EVP_PKEY_free(static_cast<EVP_PKEY*>(key_)); }

Ed25519Signer::Ed25519Signer(Ed25519Signer&& other) noexcept
    : key_(std::exchange(other.key_, nullptr)), public_key_(std::move(other.public_key_)) {}

Ed25519Signer& Ed25519Signer::operator=(Ed25519Signer&& other) noexcept {
  std::swap(key_, other.key_);
  std::swap(public_key_, other.public_key_);
  return *this;
}

std::string Ed25519Signer::sign(std::string_view message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(ed25519_signature_size, '\0');
  std::size_t size = signature.size();
  require(context != nullptr && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, static_cast<EVP_PKEY*>(key_)) == 1 &&
          EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(message.data()), message.size()) == 1);
  return signature;
}

bool ed25519_verify(std::string_view public_key, std::string_view message, std::string_view signature) {
  if (public_key.size() != ed25519_public_key_size || signature.size() != ed25519_signature_size) return false;
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(public_key.data()), public_key.size()));
  const DigestContext context(EVP_MD_CTX_new());
  return key != nullptr && context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature.data()), signature.size(), octets(message.data()), message.size()) == 1;
}

Result<std::string> ed25519_public_key_from(std::string_view der_or_raw) {
  if (der_or_raw.size() == spki_prefix.size() + ed25519_public_key_size && der_or_raw.starts_with(spki_prefix)) {
    return std::string(der_or_raw.substr(spki_prefix.size()));
  }
  if (der_or_raw.size() == ed25519_public_key_size) return std::string(der_or_raw);
  return Error{ErrorKind::invalid_input, "neither a raw Ed25519 key nor its SubjectPublicKeyInfo"};
}

}  // namespace mailhold::crypto
