#include "platform/crypto/prepare.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <ctime>

namespace mailhold::crypto {

namespace {

bool prepare_now() {
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_ADD_ALL_CIPHERS |
                            OPENSSL_INIT_ADD_ALL_DIGESTS,
                        nullptr);
  unsigned char first = 0;
  ::RAND_bytes(&first, 1);  // opens whatever its random source needs
  ::tzset();                // reads /etc/localtime: checking a certificate asks for the time zone
  return true;
}

}  // namespace

void prepare() {
  static const bool prepared = prepare_now();  // once: the copies of a zygote are in their jail already
  (void)prepared;
}

}  // namespace mailhold::crypto
