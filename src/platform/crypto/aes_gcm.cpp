#include "platform/crypto/aes_gcm.h"

#include <cstring>
#include <limits>

#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {
namespace {

EVP_CIPHER_CTX* as_cipher(void* context) { return static_cast<EVP_CIPHER_CTX*>(context); }

int piece(std::string_view bytes) {
  require(bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(bytes.size());
}

}  // namespace

AesGcm::AesGcm(std::string_view key) : context_(EVP_CIPHER_CTX_new()) {
  require(context_ != nullptr && key.size() == key_size);
  require(EVP_CipherInit_ex2(as_cipher(context_), aes_gcm_algorithm(), octets(key.data()), nullptr, 1, nullptr) == 1);
}

// OpenSSL clears the expanded key when it frees the context.
AesGcm::~AesGcm() { EVP_CIPHER_CTX_free(as_cipher(context_)); }

void AesGcm::seal(std::string_view nonce, std::string_view plaintext, char* out, std::string_view associated) {
  EVP_CIPHER_CTX* context = as_cipher(context_);
  int written = 0;
  require(nonce.size() == nonce_size && EVP_CipherInit_ex2(context, nullptr, nullptr, octets(nonce.data()), 1, nullptr) == 1);
  if (!associated.empty()) {
    require(EVP_CipherUpdate(context, nullptr, &written, octets(associated.data()), piece(associated)) == 1);
  }
  if (!plaintext.empty()) {
    require(EVP_CipherUpdate(context, octets(out), &written, octets(plaintext.data()), piece(plaintext)) == 1);
  }
  require(EVP_CipherFinal_ex(context, octets(out) + plaintext.size(), &written) == 1 &&
          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), out + plaintext.size()) == 1);
}

bool AesGcm::open(std::string_view nonce, std::string_view ciphertext, char* out, std::string_view associated) {
  if (ciphertext.size() < tag_size) return false;
  EVP_CIPHER_CTX* context = as_cipher(context_);
  const std::string_view body = ciphertext.substr(0, ciphertext.size() - tag_size);
  char tag[tag_size];
  std::memcpy(tag, ciphertext.data() + body.size(), tag_size);
  int written = 0;
  require(nonce.size() == nonce_size && EVP_CipherInit_ex2(context, nullptr, nullptr, octets(nonce.data()), 0, nullptr) == 1);
  if (!associated.empty()) {
    require(EVP_CipherUpdate(context, nullptr, &written, octets(associated.data()), piece(associated)) == 1);
  }
  if (!body.empty()) {
    require(EVP_CipherUpdate(context, octets(out), &written, octets(body.data()), piece(body)) == 1);
  }
  unsigned char none[tag_size];
  const bool right = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), tag) == 1 &&
                     EVP_CipherFinal_ex(context, none, &written) == 1;
  if (!right && !body.empty()) std::memset(out, 0, body.size());
  return right;
}

}  // namespace mailhold::crypto
