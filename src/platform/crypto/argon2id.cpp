#include "platform/crypto/argon2id.h"

#include <sodium.h>

namespace mailhold::crypto {

Result<SecretText> argon2id(std::string_view passphrase, std::string_view salt, const Argon2idCost& cost) {
  static const bool ready = sodium_init() >= 0;
  if (!ready) return Error{ErrorKind::bug, "libsodium does not start"};
  static_assert(argon2id_salt_size == crypto_pwhash_argon2id_SALTBYTES);
  if (salt.size() != argon2id_salt_size || cost.memory_bytes < (8u << 10) || cost.memory_bytes > (4ull << 30) ||
      cost.passes < 1 || cost.passes > 64) {
    return Error{ErrorKind::invalid_input, "impossible Argon2id parameters"};
  }
  SecretText key = SecretText::zeroed(32);
  const int outcome = crypto_pwhash_argon2id(reinterpret_cast<unsigned char*>(key.data()), key.size(), passphrase.data(),
                                             passphrase.size(), reinterpret_cast<const unsigned char*>(salt.data()), cost.passes,
                                             static_cast<std::size_t>(cost.memory_bytes), crypto_pwhash_argon2id_ALG_ARGON2ID13);
  if (outcome != 0) return Error{ErrorKind::unavailable, "no memory for Argon2id"};
  return key;
}

}  // namespace mailhold::crypto
