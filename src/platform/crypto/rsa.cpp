#include "platform/crypto/rsa.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "platform/crypto/openssl_objects.h"
#include "platform/crypto/secret_memory.h"

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

constexpr std::array<const char*, 8> component_names = {
    OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,         OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

struct ClearNumber {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
};

Error no_room() { return Error{ErrorKind::limit_exceeded, "no secret memory is left for another RSA key"}; }

// The work with a private key is done where nobody can read it, its stack included.
template <class Work>
auto in_secret(Work work) -> decltype(work(std::declval<const SecretScope&>())) {
  std::optional<decltype(work(std::declval<const SecretScope&>()))> outcome;
  const bool was_run = on_secret_stack([&] {
    const SecretScope scope;
    outcome.emplace(work(scope));
  });
  if (!was_run) return no_room();
  return std::move(*outcome);
}

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

SecretText RsaPrivateKey::components() const {
  const SecretScope scope;
  SecretText out = SecretText::zeroed(component_names.size() * (2 + bits_max / 8));
  std::size_t at = 0;
  for (const char* name : component_names) {
    BIGNUM* number = nullptr;
    require(EVP_PKEY_get_bn_param(as_key(key_), name, &number) == 1);
    const std::unique_ptr<BIGNUM, ClearNumber> owned(number);
    const auto size = static_cast<std::size_t>(BN_num_bytes(number));
    out.data()[at++] = static_cast<char>(size >> 8);
    out.data()[at++] = static_cast<char>(size & 0xff);
    BN_bn2bin(number, octets(out.data() + at));
    at += size;
  }
  return SecretText::copy_of(out.reveal().substr(0, at));
}

Result<RsaPrivateKey> RsaPrivateKey::from_components(std::string_view components) {
  return in_secret([&](const SecretScope& scope) -> Result<RsaPrivateKey> {
    static_assert(std::endian::native == std::endian::little);  // OSSL_PARAM takes numbers as the machine has them
    SecretText numbers = SecretText::copy_of(components);
    std::array<OSSL_PARAM, component_names.size() + 1> parameters;
    std::size_t at = 0;
    for (std::size_t i = 0; i < component_names.size(); ++i) {
      if (components.size() - at < 2) return Error{ErrorKind::invalid_input, "not the numbers of an RSA key"};
      const std::size_t size = static_cast<unsigned char>(components[at]) * 256U + static_cast<unsigned char>(components[at + 1]);
      at += 2;
      if (size == 0 || size > bits_max / 8 || components.size() - at < size)
        return Error{ErrorKind::invalid_input, "not the numbers of an RSA key"};
      std::reverse(numbers.data() + at, numbers.data() + at + size);
      parameters[i] = OSSL_PARAM_construct_BN(component_names[i], octets(numbers.data() + at), size);
      at += size;
    }
    parameters.back() = OSSL_PARAM_construct_end();
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    if (at != components.size() || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.data()) != 1) {
      if (scope.was_refused()) return no_room();
      return Error{ErrorKind::invalid_input, "not the numbers of an RSA key"};
    }
    return RsaPrivateKey(key);
  });
}

RsaPrivateKey::~RsaPrivateKey() { EVP_PKEY_free(as_key(key_)); }
RsaPrivateKey::RsaPrivateKey(RsaPrivateKey&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
RsaPrivateKey& RsaPrivateKey::operator=(RsaPrivateKey&& other) noexcept {
  std::swap(key_, other.key_);
  return *this;
}

Result<std::string> RsaPrivateKey::sign_sha256(std::string_view data) const {
  return in_secret([&](const SecretScope& scope) -> Result<std::string> {
    const DigestContext context(EVP_MD_CTX_new());
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(as_key(key_))), '\0');
    std::size_t size = signature.size();
    if (context == nullptr || EVP_DigestSignInit(context.get(), nullptr, sha256_algorithm(), nullptr, as_key(key_)) != 1 ||
        EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(data.data()), data.size()) != 1) {
      if (scope.was_refused()) return no_room();
      return Error{ErrorKind::bug, "the RSA key does not sign"};
    }
    signature.resize(size);
    return signature;
  });
}

Result<std::string> RsaPrivateKey::sign_pss_sha256(std::string_view data) const {
  return in_secret([&](const SecretScope& scope) -> Result<std::string> {
    const DigestContext context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* rules = nullptr;
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(as_key(key_))), '\0');
    std::size_t size = signature.size();
    if (context == nullptr || EVP_DigestSignInit(context.get(), &rules, sha256_algorithm(), nullptr, as_key(key_)) != 1 ||
        !use_pss(rules) ||
        EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(data.data()), data.size()) != 1) {
      if (scope.was_refused()) return no_room();
      return Error{ErrorKind::bug, "the RSA key does not sign"};
    }
    signature.resize(size);
    return signature;
  });
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
