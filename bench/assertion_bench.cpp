// Client assertions as keyd makes them, beside raw RSA-PSS signatures of OpenSSL with the same key. One thread.
// assertion: what making one costs once its receipt is found to be genuine: the receipt is spent, the row read from the keystore
// and compared, the policy hashed, the assertion written and signed. Beside it, as a remark: whole uses, each with the check of a
// genuine receipt that a ledger gave for it, once with intents that were written one after the other, each in a batch of its own,
// and once with intents that came together and share batches.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "core/keys/key_service.h"
#include "core/keys/use_templates.h"
#include "core/ledger/log.h"
#include "core/ledger/use_receipt.h"
#include "formats/sealed/box.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/secret_memory.h"

namespace {

using namespace mailhold;
using Time = std::chrono::steady_clock;

constexpr int rounds = 7;
constexpr int signatures = 400;

// Calls work(i) for each.
template <class Work>
double rate(Work work) {
  const auto begin = Time::now();
  for (int i = 0; i < signatures; ++i) work(i);
  return signatures / std::chrono::duration<double>(Time::now() - begin).count();
}

void require(bool holds) {
  if (!holds) std::abort();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

enum class Intents { one_by_one, together };

keys::VerifiedReceipt taken_as_genuine(const ledger::Receipt& receipt) {
  return {std::string(receipt.leaf().bytes()), receipt.time, receipt.expires};
}

// A region with one connection whose secret is the client's key, and the ledger that writes its uses down.
class Region {
 public:
  Region(const std::filesystem::path& directory, const SecretText& secret)
      : service_(
            {directory / "keystore.db", "bench", {.memory_bytes = 64 << 10, .passes = 1}},
            [this](const keys::UseRequest& request, std::string_view key, Milliseconds now) -> Result<keys::VerifiedReceipt> {
              if (checks_receipts) return verify_use_(request, key, now);
              return taken_as_genuine(receipts_.at(next_));
            }) {
    std::vector<keys::SealRequest> seals(2);
    seals[0].secret = SecretText::copy_of("correct horse battery");
    seals[1].secret = SecretText::copy_of("staple of the bench");
    require(static_cast<bool>(service_.initialise(seals)));
    require(static_cast<bool>(service_.create_tenant(request_.tenant)));
    keys::SecretRecord record{request_.tenant, request_.connection, request_.policy, {}};
    record.box =
        *sealed::seal_box(*service_.secret_public_key(),
                          keys::entry_context("bench", request_.tenant, request_.connection, request_.policy), secret.reveal());
    require(static_cast<bool>(service_.put_secret(record)));
    ledger::LogSettings settings;
    settings.folder = directory / "log";
    settings.origin = "bench/eu";
    log_ = std::make_unique<ledger::Log>(settings, *crypto::Ed25519Signer::from_seed(service_.ledger_signing_seed()->reveal()));
    require(static_cast<bool>(log_->reopen()));
  }

  // Those of the next round; they live for half a minute.
  void write_intents(Intents coming) {
    receipts_.assign(signatures, {});
    encoded_.clear();
    next_ = 0;
    const auto written = std::make_shared<std::latch>(signatures);
    const ledger::Entry entry{request_.tenant,
                              request_.connection,
                              "use.intent",
                              {{"purpose", request_.purpose}, {"policy", to_hex(crypto::sha256(request_.policy))}}};
    for (ledger::Receipt& receipt : receipts_) {
      receipt.clear_text = *ledger::write_clear_text(entry, random_bytes(16));
      const auto commitment = ledger::Hash::from_bytes(crypto::sha256(receipt.clear_text));
      ledger::Append append{request_.tenant, request_.connection, commitment,
                            encode(ledger::Payload{1, 7, request_.tenant, random_bytes(92), random_bytes(450)})};
      const auto keep = [&receipt, written](Result<ledger::Receipt> given) {
        require(static_cast<bool>(given));
        given->clear_text = std::move(receipt.clear_text);
        receipt = std::move(*given);
        written->count_down();
      };
      if (coming == Intents::together)
        log_->submit(std::move(append), keep);
      else
        keep(log_->append(std::move(append), Deadline::after(std::chrono::seconds(10))));
    }
    written->wait();
    for (const ledger::Receipt& receipt : receipts_) encoded_.push_back(receipt.encode());
  }

  void use(int number) {
    next_ = static_cast<std::size_t>(number);
    request_.receipt = encoded_.at(next_);
    require(static_cast<bool>(service_.use(request_)));
  }

  bool checks_receipts = false;

 private:
  keys::UseRequest request_{Id::random(), Id::random(), "policy", "backup.read", "client_assertion"};
  std::vector<ledger::Receipt> receipts_;
  std::vector<std::string> encoded_;
  std::size_t next_ = 0;
  const ledger::UseVerifier verify_use_;
  keys::KeyService service_;
  std::unique_ptr<ledger::Log> log_;
};

}  // namespace

int main() {
  require(crypto::keep_secrets_in_secret_memory(1 << 20, 32 << 20));  // as keyd does
  const auto directory = std::filesystem::temp_directory_path() / ("assertion-bench-" + Id::random().text());
  std::filesystem::create_directories(directory);
  EVP_PKEY* key = EVP_RSA_gen(2048);
  BIO* text = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(text, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text, &bytes);
  const SecretText secret = *keys::encode_client_key({"client-1", "https://login.example.test/tenant/oauth2/v2.0/token",
                                                      "https://graph.example.test/.default", std::string(32, 'c'),
                                                      SecretText::copy_of({bytes, static_cast<std::size_t>(size)})});
  const std::string input(400, 'x');
  std::vector<double> ours, whole, of_batches, peer;
  {
    Region region(directory, secret);
    const auto uses = [&](bool checks_receipts, Intents coming) {
      region.write_intents(coming);
      region.checks_receipts = checks_receipts;
      return rate([&](int number) { region.use(number); });
    };
    for (int round = 0; round < rounds; ++round) {
      ours.push_back(uses(false, Intents::one_by_one));
      peer.push_back(rate([&](int) {
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
      whole.push_back(uses(true, Intents::one_by_one));
      of_batches.push_back(uses(true, Intents::together));
    }
  }
  std::filesystem::remove_all(directory);
  const double ratio = median(ours) / median(peer);
  std::printf("bench assertion ours=%.1f peer=%.1f unit=signatures/s ratio=%.2f bar=0.8 %s\n", median(ours), median(peer), ratio,
              ratio >= 0.8 ? "ok" : "short");
  std::printf(
      "# whole uses, with the check of the ledger's receipt: %.1f/s, ratio %.2f; of receipts of shared batches: %.1f/s, ratio "
      "%.2f\n",
      median(whole), median(whole) / median(peer), median(of_batches), median(of_batches) / median(peer));
}
