// How fast sealing is, against raw AES-256-GCM of OpenSSL with one key and one context reused: what one would write who
// wanted no contexts, commitments, fresh salts or random access. Five alternating runs, medians.
#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "formats/sealed/sealed.h"

namespace {

using namespace mailhold;

constexpr double mebibyte = 1024.0 * 1024.0;
constexpr auto run_time = std::chrono::milliseconds(300);

class RawGcm {
 public:
  RawGcm() : context_(EVP_CIPHER_CTX_new()), algorithm_(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)) {
    const std::string key = random_bytes(32);
    check(EVP_EncryptInit_ex2(context_, algorithm_, octets(key), nullptr, nullptr));
  }
  ~RawGcm() {
    EVP_CIPHER_free(algorithm_);
    EVP_CIPHER_CTX_free(context_);
  }

  void seal(const std::string& plaintext, std::string& out) {
    ++nonce_[11];
    int written = 0;
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    check(EVP_EncryptInit_ex2(context_, nullptr, nullptr, nonce_, nullptr));
    check(EVP_EncryptUpdate(context_, to, &written, octets(plaintext), static_cast<int>(plaintext.size())));
    check(EVP_EncryptFinal_ex(context_, to + written, &written));
    check(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, 16, to + plaintext.size()));
  }

 private:
  static void check(int outcome) {
    if (outcome != 1) std::abort();
  }
  static const unsigned char* octets(const std::string& bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

  EVP_CIPHER_CTX* context_;
  EVP_CIPHER* algorithm_;
  unsigned char nonce_[12] = {};
};

template <class Operation>
double mebibytes_per_second(std::size_t bytes, Operation operation) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::size_t count = 0;
  Clock::duration spent{};
  while (spent < run_time) {
    for (int i = 0; i < 16; ++i) operation();
    count += 16;
    spent = Clock::now() - start;
  }
  return static_cast<double>(count * bytes) / mebibyte / std::chrono::duration<double>(spent).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const char* name, std::size_t bytes, double bar) {
  const std::string plaintext = random_bytes(bytes);
  const std::string key = random_bytes(sealed::key_size);
  const sealed::Context context{.region = "eu",
                                .tenant = Id::random(),
                                .kind = sealed::Kind::body,
                                .object_id = random_bytes(Id::size),
                                .key_id = Id::random(),
                                .key_version = 1};
  RawGcm raw;
  std::string out(bytes + 16, '\0');
  std::vector<double> ours;
  std::vector<double> peer;
  for (int run = 0; run < 5; ++run) {
    ours.push_back(mebibytes_per_second(bytes, [&] {
      if (sealed::seal(key, context, plaintext).empty()) std::abort();
    }));
    peer.push_back(mebibytes_per_second(bytes, [&] { raw.seal(plaintext, out); }));
  }
  const double ratio = median(ours) / median(peer);
  std::printf("bench %s ours=%.0f peer=%.0f unit=MiB/s ratio=%.2f bar=%.1f %s\n", name, median(ours), median(peer), ratio, bar,
              ratio >= bar ? "ok" : "short");
}

}  // namespace

int main() {
  compare("seal-1MiB", 1024 * 1024, 0.8);
  compare("seal-8KiB", 8 * 1024, 0.3);
  return 0;
}
