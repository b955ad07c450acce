// The prepared states of an HMAC are copied for each block of HKDF. EVP_MD_CTX_copy_ex allocates for that, the plain
// structures of libcrypto do not: sealing 8 KiB becomes a third faster (bench/seal_bench.cpp).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "platform/crypto/mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "platform/crypto/hash.h"

namespace mailhold::crypto {
namespace {

void require(int outcome) {
  if (outcome != 1) std::abort();
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

struct Sha256Steps {
  using State = SHA256_CTX;
  static constexpr std::size_t block = SHA256_CBLOCK;
  static constexpr std::size_t size = sha256_size;
  static void start(State& state) { require(SHA256_Init(&state)); }
  static void update(State& state, std::string_view bytes) { require(SHA256_Update(&state, bytes.data(), bytes.size())); }
  static void finish(State& state, char* out) { require(SHA256_Final(reinterpret_cast<unsigned char*>(out), &state)); }
};

struct Sha512Steps {
  using State = SHA512_CTX;
  static constexpr std::size_t block = SHA512_CBLOCK;
  static constexpr std::size_t size = sha512_size;
  static void start(State& state) { require(SHA512_Init(&state)); }
  static void update(State& state, std::string_view bytes) { require(SHA512_Update(&state, bytes.data(), bytes.size())); }
  static void finish(State& state, char* out) { require(SHA512_Final(reinterpret_cast<unsigned char*>(out), &state)); }
};

// Keyed once, it computes any number of MACs: start(), update() any number of times, finish().
template <class Steps>
class Hmac {
 public:
  explicit Hmac(std::string_view key) {
    std::array<char, Steps::block> pad{};
    if (key.size() > pad.size()) {
      Steps::start(inner_);
      Steps::update(inner_, key);
      Steps::finish(inner_, pad.data());
    } else {
      std::copy(key.begin(), key.end(), pad.begin());
    }
    for (char& byte : pad) byte = static_cast<char>(byte ^ 0x36);
    Steps::start(inner_);
    Steps::update(inner_, {pad.data(), pad.size()});
    for (char& byte : pad) byte = static_cast<char>(byte ^ 0x36 ^ 0x5c);
    Steps::start(outer_);
    Steps::update(outer_, {pad.data(), pad.size()});
    wipe(pad.data(), pad.size());
  }
  ~Hmac() { wipe(this, sizeof *this); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  void start() { state_ = inner_; }
  void update(std::string_view bytes) { Steps::update(state_, bytes); }
  void finish(char* out) {
    std::array<char, Steps::size> digest;
    Steps::finish(state_, digest.data());
    state_ = outer_;
    update({digest.data(), digest.size()});
    Steps::finish(state_, out);
    wipe(digest.data(), digest.size());
  }

 private:
  typename Steps::State inner_;
  typename Steps::State outer_;
  typename Steps::State state_;
};

template <class Steps>
std::string mac(std::string_view key, std::string_view message) {
  Hmac<Steps> hmac(key);
  std::string out(Steps::size, '\0');
  hmac.start();
  hmac.update(message);
  hmac.finish(out.data());
  return out;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view message) { return mac<Sha256Steps>(key, message); }
std::string hmac_sha512(std::string_view key, std::string_view message) { return mac<Sha512Steps>(key, message); }

std::string gmac_aes128(std::string_view key, std::string_view message) {
  struct Free {
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  static const std::unique_ptr<EVP_MAC, Free> gmac(EVP_MAC_fetch(nullptr, "GMAC", nullptr));
  const std::unique_ptr<EVP_MAC_CTX, Free> context(EVP_MAC_CTX_new(gmac.get()));
  if (key.size() != gmac_key_size || context == nullptr) std::abort();
  std::array<unsigned char, 12> nonce{};
  char cipher[] = "AES-128-GCM";
  const OSSL_PARAM choice[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                               OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, nonce.data(), nonce.size()),
                               OSSL_PARAM_construct_end()};
  std::string tag(16, '\0');
  std::size_t size = 0;
  require(EVP_MAC_init(context.get(), bytes_of(key), key.size(), choice));
  require(EVP_MAC_update(context.get(), bytes_of(message), message.size()));
  require(EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(tag.data()), &size, tag.size()));
  return tag;
}

SecretText hkdf_expand_sha512(std::string_view key, std::string_view info, std::size_t size) {
  if (size > 255 * sha512_size) std::abort();
  Hmac<Sha512Steps> hmac(key);
  SecretText out = SecretText::zeroed(size);
  std::array<char, sha512_size> block{};
  for (std::size_t at = 0, counter = 1; at < size; at += sha512_size, ++counter) {
    hmac.start();
    if (counter > 1) hmac.update({block.data(), block.size()});
    hmac.update(info);
    const char number = static_cast<char>(counter);
    hmac.update({&number, 1});
    hmac.finish(block.data());
    std::memcpy(out.data() + at, block.data(), std::min(sha512_size, size - at));
  }
  wipe(block.data(), block.size());
  return out;
}

SecretText hkdf_sha512(std::string_view input, std::string_view salt, std::string_view info, std::size_t size) {
  std::string key = hmac_sha512(salt, input);
  SecretText out = hkdf_expand_sha512(key, info, size);
  wipe(key);
  return out;
}

}  // namespace mailhold::crypto
