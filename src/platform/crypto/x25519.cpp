#include "platform/crypto/x25519.h"

#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {
namespace {

Error wrong_size() { return Error{ErrorKind::invalid_input, "an X25519 key is 32 bytes"}; }

Key private_from(std::string_view bytes) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, octets(bytes.data()), bytes.size()));
  require(key != nullptr);
  return key;
}

}  // namespace

X25519KeyPair x25519_generate() {
  X25519KeyPair pair;
  pair.private_key = SecretText::random(x25519_key_size);
  pair.public_key = x25519_public_key(pair.private_key.reveal()).value();
  return pair;
}

Result<std::string> x25519_public_key(std::string_view private_key) {
  if (private_key.size() != x25519_key_size) return wrong_size();
  const Key key = private_from(private_key);
  std::string out(x25519_key_size, '\0');
  std::size_t size = out.size();
  require(EVP_PKEY_get_raw_public_key(key.get(), octets(out.data()), &size) == 1);
  return out;
}

Result<SecretText> x25519_shared_secret(std::string_view private_key, std::string_view public_key) {
  if (private_key.size() != x25519_key_size || public_key.size() != x25519_key_size) return wrong_size();
  const Key ours = private_from(private_key);
  const Key theirs(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, octets(public_key.data()), public_key.size()));
  const KeyContext context(EVP_PKEY_CTX_new(ours.get(), nullptr));
  require(theirs != nullptr && context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  SecretText secret = SecretText::zeroed(x25519_key_size);
  std::size_t size = secret.size();
  if (EVP_PKEY_derive_set_peer_ex(context.get(), theirs.get(), 0) != 1 ||
      EVP_PKEY_derive(context.get(), octets(secret.data()), &size) != 1 ||
      equals_in_constant_time(secret.reveal(), SecretText::zeroed(x25519_key_size).reveal())) {
    return Error{ErrorKind::invalid_input, "a point of small order is no X25519 key"};
  }
  return secret;
}

}  // namespace mailhold::crypto
