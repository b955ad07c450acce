#include "platform/crypto/rsa.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "platform/crypto/openssl_objects.h"

namespace mailhold::crypto {
namespace {

constexpr unsigned bits_max = 8192;  // a larger key makes each verification a burden that a stranger chose

Key parse_public_key(std::string_view der) {
  const unsigned char* at = octets(der.data());
  if (der.empty() || der.size() > 4096) return nullptr;
  const long size = static_cast<long>(der.size());
  Key key(d2i_PUBKEY(nullptr, &at, size));
  if (key == nullptr) {
    at = octets(der.data());
    key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size));  // bare PKCS#1, RFC 6376 section 3.6.1
  }
  const bool whole = at == octets(der.data()) + der.size();
  if (key == nullptr || !whole || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return nullptr;
  return key;
}

// The keys this thread used last, parsed. Reading a key costs five times the verification (docs/decisions/gateway-speed.md),
// and the mail of one day comes under few of them.
class RecentKeys {
 public:
  // The key, until the next call; null if `der` is none.
  EVP_PKEY* find(std::string_view der) {
    const auto known = std::find_if(entries_.begin(), entries_.end(), [der](const Entry& entry) { return entry.der == der; });
    if (known != entries_.end()) {
      std::rotate(entries_.begin(), known, known + 1);
      return entries_.front().key.get();
    }
    Key key = parse_public_key(der);
    if (key == nullptr) return nullptr;
    if (entries_.size() == entries_max) entries_.pop_back();
    entries_.insert(entries_.begin(), Entry{std::string(der), std::move(key)});
    return entries_.front().key.get();
  }

 private:
  struct Entry {
    std::string der;
    Key key;
  };
  static constexpr std::size_t entries_max = 32;
  std::vector<Entry> entries_;  // used last first
};

EVP_PKEY* as_key(void* key) { return static_cast<EVP_PKEY*>(key); }

bool use_pss(EVP_PKEY_CTX* rules) {
  return EVP_PKEY_CTX_set_rsa_padding(rules, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(rules, RSA_PSS_SALTLEN_DIGEST) == 1;
}

Result<RsaVerdict> verify(std::string_view key_der, std::string_view data, std::string_view signature, bool pss) {
  thread_local RecentKeys keys;
  EVP_PKEY* const key = keys.find(key_der);
  if (key == nullptr) return Error{ErrorKind::invalid_input, "not an RSA public key"};
  RsaVerdict verdict;
  verdict.bits = static_cast<unsigned>(EVP_PKEY_get_bits(key));
  if (verdict.bits > bits_max) return Error{ErrorKind::invalid_input, "an RSA key of more than 8192 bits"};
  const DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  EVP_PKEY_CTX* rules = nullptr;
  verdict.valid =
      EVP_DigestVerifyInit(context.get(), &rules, sha256_algorithm(), nullptr, key) == 1 && (!pss || use_pss(rules)) &&
      EVP_DigestVerify(context.get(), octets(signature.data()), signature.size(), octets(data.data()), data.size()) == 1;
  return verdict;
}

}  // namespace

Result<RsaVerdict> verify_rsa_sha256(std::string_view key_der, std::string_view data, std::string_view signature) {
  return verify(key_der, data, signature, false);
}

Result<RsaVerdict> verify_rsa_pss_sha256(std::string_view key_der, std::string_view data, std::string_view signature) {
  return verify(key_der, data, signature, true);
}

Result<RsaPrivateKey> RsaPrivateKey::generate(unsigned bits) {
  if (bits < 1024 || bits > bits_max) return Error{ErrorKind::invalid_input, "an RSA key has 1024 to 8192 bits"};
  EVP_PKEY* key = EVP_RSA_gen(bits);
  require(key != nullptr);
  return RsaPrivateKey(key);
}

Result<RsaPrivateKey> RsaPrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > 65536) return Error{ErrorKind::invalid_input, "too long for a private key"};
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  require(bio != nullptr);
  // With an empty passphrase given, an encrypted key fails instead of asking at the terminal.
  char no_passphrase[] = "";
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_passphrase));
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return Error{ErrorKind::invalid_input, "not an unencrypted RSA private key"};
  }
  return RsaPrivateKey(key.release());
}

RsaPrivateKey::~RsaPrivateKey() { EVP_PKEY_free(as_key(key_)); }
RsaPrivateKey::RsaPrivateKey(RsaPrivateKey&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
RsaPrivateKey& RsaPrivateKey::operator=(RsaPrivateKey&& other) noexcept {
  std::swap(key_, other.key_);
  return *this;
}

Result<std::string> RsaPrivateKey::sign_sha256(std::string_view data) const {
  const DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(as_key(key_))), '\0');
  std::size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, sha256_algorithm(), nullptr, as_key(key_)) != 1 ||
      EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(data.data()), data.size()) != 1) {
    return Error{ErrorKind::bug, "the RSA key does not sign"};
  }
  signature.resize(size);
  return signature;
}

Result<std::string> RsaPrivateKey::sign_pss_sha256(std::string_view data) const {
  const DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  EVP_PKEY_CTX* rules = nullptr;
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(as_key(key_))), '\0');
  std::size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), &rules, sha256_algorithm(), nullptr, as_key(key_)) != 1 || !use_pss(rules) ||
      EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(data.data()), data.size()) != 1) {
    return Error{ErrorKind::bug, "the RSA key does not sign"};
  }
  signature.resize(size);
  return signature;
}

unsigned RsaPrivateKey::bits() const { return static_cast<unsigned>(EVP_PKEY_get_bits(as_key(key_))); }

std::string RsaPrivateKey::public_key_der() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(as_key(key_), &der);
  require(size > 0);
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace mailhold::crypto
