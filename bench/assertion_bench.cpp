// Client assertions as keyd makes them, beside raw RSA-PSS signatures of OpenSSL with the same key. One thread.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/keys/use_templates.h"

namespace {

using namespace mailhold;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 7;
constexpr int signatures = 400;

template <class Work>
double rate(Work work) {
  const auto begin = Clock::now();
  for (int i = 0; i < signatures; ++i) work();
  return signatures / std::chrono::duration<double>(Clock::now() - begin).count();
}

void require(bool holds) {
  if (!holds) std::abort();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main() {
  EVP_PKEY* key = EVP_RSA_gen(2048);
  BIO* text = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(text, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text, &bytes);
  const SecretText secret = *keys::encode_client_key({"client-1", "https://login.example.test/tenant/oauth2/v2.0/token",
                                                      "https://graph.example.test/.default", std::string(32, 'c'),
                                                      SecretText::copy_of({bytes, static_cast<std::size_t>(size)})});
  keys::UseRequest request;
  request.template_name = "client_assertion";
  const std::string leaf(32, 'l'), input(400, 'x');
  std::vector<double> ours, peer;
  for (int round = 0; round < rounds; ++round) {
    ours.push_back(rate([&] { require(static_cast<bool>(keys::answer_template(request, secret, leaf, 1'700'000'000'000))); }));
    peer.push_back(rate([&] {
      EVP_MD_CTX* context = EVP_MD_CTX_new();
      EVP_PKEY_CTX* rules = nullptr;
      unsigned char signature[256];
      std::size_t length = sizeof signature;
      require(EVP_DigestSignInit(context, &rules, EVP_sha256(), nullptr, key) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(rules, RSA_PKCS1_PSS_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_pss_saltlen(rules, RSA_PSS_SALTLEN_DIGEST) == 1 &&
              EVP_DigestSign(context, signature, &length, reinterpret_cast<const unsigned char*>(input.data()), input.size()) ==
                  1);
      EVP_MD_CTX_free(context);
    }));
  }
  const double ratio = median(ours) / median(peer);
  std::printf("bench assertion ours=%.1f peer=%.1f unit=signatures/s ratio=%.2f bar=0.8 %s\n", median(ours), median(peer), ratio,
              ratio >= 0.8 ? "ok" : "short");
}
