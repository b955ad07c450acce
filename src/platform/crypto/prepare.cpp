#include "platform/crypto/prepare.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace mailhold::crypto {

void prepare() {
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_ADD_ALL_CIPHERS |
                            OPENSSL_INIT_ADD_ALL_DIGESTS,
                        nullptr);
  unsigned char first = 0;
  ::RAND_bytes(&first, 1);  // opens whatever its random source needs
}

}  // namespace mailhold::crypto
