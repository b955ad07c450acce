// A client's key that is kept open: what still has to hold for each use of it.
#include "core/keys/opened_keys.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/bytes.h"
#include "base/text.h"
#include "core/keys/key_service.h"
#include "fakes/in_process_keys.h"
#include "formats/sealed/box.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/rsa.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds noon = 1'790'000'000'000;

SecretText client_key(const crypto::RsaPrivateKey& key) {
  const SecretText numbers = key.components();
  ByteWriter fields;
  fields.text("client-1")
      .text("https://login.example.test/token")
      .text("scope")
      .text(std::string(32, 'c'))
      .text(numbers.reveal());
  return SecretText::take(std::string("\0mailhold-client-key-1", 22) + fields.take());
}

std::shared_ptr<const ClientSigner> signer() {
  static const auto kept = *ClientSigner::open(client_key(*crypto::RsaPrivateKey::generate(2048)));
  return kept;
}

SecretRow row_of(Id tenant, Id connection) {
  SecretRow row{tenant, connection, 1, "sealed"};
  row.sealed_key = "sealed key";
  return row;
}

TEST(OpenedKeys, is_found_for_the_same_row_and_policy_alone_and_for_a_minute) {
  OpenedKeys opened;
  const SecretRow row = row_of(Id::random(), Id::random());
  opened.keep(row, "policy", signer(), noon);
  EXPECT_EQ(opened.find(row, "policy", noon + OpenedKeys::life - 1), signer());
  EXPECT_EQ(opened.find(row, "another policy", noon), nullptr);
  EXPECT_EQ(opened.find(row_of(row.tenant, Id::random()), "policy", noon), nullptr);
  EXPECT_EQ(opened.find(row_of(Id::random(), row.connection), "policy", noon), nullptr);
  EXPECT_EQ(opened.count(), 1U);
  SecretRow rewrapped = row;
  rewrapped.sealed_key = "under the next key";
  EXPECT_EQ(opened.find(rewrapped, "policy", noon), nullptr);
  EXPECT_EQ(opened.count(), 0U) << "what is of another row is dropped at once";
  opened.keep(row, "policy", signer(), noon);
  SecretRow replaced = row;
  replaced.sealed = "another secret";
  EXPECT_EQ(opened.find(replaced, "policy", noon), nullptr);
  opened.keep(row, "policy", signer(), noon);
  EXPECT_EQ(opened.find(row, "policy", noon + OpenedKeys::life), nullptr);
  opened.keep(row, "policy", signer(), noon);
  EXPECT_EQ(opened.find(row, "policy", noon - 1), nullptr) << "a clock that was set back";
  EXPECT_EQ(opened.count(), 0U);
}

TEST(OpenedKeys, keeps_only_so_many_and_forgets_when_it_is_told) {
  OpenedKeys opened;
  const Id tenant = Id::random();
  std::vector<SecretRow> rows;
  for (std::size_t i = 0; i <= OpenedKeys::count_max; ++i) {
    rows.push_back(row_of(i % 2 == 0 ? tenant : Id::random(), Id::random()));
    opened.keep(rows.back(), "policy", signer(), noon);
  }
  EXPECT_EQ(opened.count(), OpenedKeys::count_max);
  EXPECT_EQ(opened.find(rows.front(), "policy", noon), nullptr);
  opened.forget(rows.back().tenant, rows.back().connection);
  EXPECT_EQ(opened.find(rows.back(), "policy", noon), nullptr);
  opened.forget_tenant(tenant);
  EXPECT_EQ(opened.count(), OpenedKeys::count_max / 2);
  opened.forget_all();
  EXPECT_EQ(opened.count(), 0U);
}

class UsesOfAClientKey : public ::testing::Test {
 protected:
  UsesOfAClientKey() : directory_(std::filesystem::temp_directory_path() / ("opened-" + Id::random().text())) {
    std::filesystem::create_directories(directory_);
    keys_ = std::make_unique<InProcessKeys>(
        directory_,
        [](const UseRequest& request, std::string_view, Milliseconds now) -> Result<VerifiedReceipt> {
          if (!request.receipt.starts_with("leaf")) return Error{ErrorKind::denied, "no genuine receipt"};
          return VerifiedReceipt{crypto::sha256(request.receipt), now, now + 30'000};
        },
        clock_);
    EXPECT_TRUE(service().create_tenant(tenant_));
    put(key_);
  }
  ~UsesOfAClientKey() override {
    keys_.reset();
    std::filesystem::remove_all(directory_);
  }
  KeyService& service() { return keys_->service; }
  void put(const crypto::RsaPrivateKey& key) {
    SecretRecord record{tenant_, connection_, "policy", {}};
    record.box = sealed::seal_box(service().secret_public_key().value(),
                                  entry_context(InProcessKeys::region, tenant_, connection_, "policy"), client_key(key).reveal())
                     .value();
    ASSERT_TRUE(service().put_secret(record));
  }
  Result<SecretText> use(const std::string& policy = "policy") {
    return service().use({tenant_, connection_, policy, "purpose", "client_assertion", "leaf " + std::to_string(++uses_)});
  }
  static bool is_signed_by(const Result<SecretText>& answer, const crypto::RsaPrivateKey& key) {
    if (!answer) return false;
    ByteReader reader(answer->reveal());
    for (int i = 0; i < 3; ++i) reader.text();
    const std::string text(reader.text());
    const std::size_t dot = text.rfind('.');
    const auto verdict =
        crypto::verify_rsa_pss_sha256(key.public_key_der(), text.substr(0, dot), *from_base64url(text.substr(dot + 1)));
    return verdict && verdict->valid;
  }

  std::filesystem::path directory_;
  ManualClock clock_{noon};
  std::unique_ptr<InProcessKeys> keys_;
  const Id tenant_ = Id::random();
  const Id connection_ = Id::random();
  const crypto::RsaPrivateKey key_ = *crypto::RsaPrivateKey::generate(2048);
  const crypto::RsaPrivateKey next_key_ = *crypto::RsaPrivateKey::generate(2048);
  int uses_ = 0;
};

TEST_F(UsesOfAClientKey, each_needs_a_receipt_of_its_own_and_the_policy) {
  EXPECT_TRUE(is_signed_by(use(), key_));
  EXPECT_TRUE(is_signed_by(use(), key_));
  --uses_;
  EXPECT_EQ(use().error().kind, ErrorKind::denied) << "a receipt that was used before";
  EXPECT_EQ(service().use({tenant_, connection_, "policy", "purpose", "client_assertion", "no receipt"}).error().kind,
            ErrorKind::denied);
  EXPECT_EQ(use("another policy").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(service().use({tenant_, connection_, "policy", "purpose", "smtp_plain", "leaf other"}).error().kind,
            ErrorKind::denied);
  EXPECT_TRUE(is_signed_by(use(), key_));
}

TEST_F(UsesOfAClientKey, a_secret_that_is_replaced_or_destroyed_signs_no_more) {
  EXPECT_TRUE(is_signed_by(use(), key_));
  put(next_key_);
  EXPECT_TRUE(is_signed_by(use(), next_key_));
  ASSERT_TRUE(service().rotate_connection(tenant_, connection_));
  EXPECT_TRUE(is_signed_by(use(), next_key_));
  ASSERT_TRUE(service().destroy_secret(tenant_, connection_));
  EXPECT_EQ(use().error().kind, ErrorKind::not_found);
}

TEST_F(UsesOfAClientKey, nor_one_of_a_destroyed_tenant_or_a_sealed_region) {
  EXPECT_TRUE(is_signed_by(use(), key_));
  service().seal();
  EXPECT_EQ(use().error().kind, ErrorKind::unavailable);
  ASSERT_TRUE(service().unseal(SealKind::passphrase, InProcessKeys::passphrase));
  ASSERT_TRUE(service().confirm({}, false));
  EXPECT_TRUE(is_signed_by(use(), key_));
  ASSERT_TRUE(service().destroy_tenant(tenant_));
  EXPECT_EQ(use().error().kind, ErrorKind::not_found);
}

// Whoever takes the row away in the file itself has taken the use away: what is kept open is no second copy of it.
TEST_F(UsesOfAClientKey, nor_one_whose_row_was_changed_in_the_file) {
  EXPECT_TRUE(is_signed_by(use(), key_));
  const Deadline soon = Deadline::after(std::chrono::seconds(5));
  auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), soon);
  std::string sealed = (*records)->query("SELECT sealed FROM connection_secret", {}, soon).value()[0][0].bytes();
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  ASSERT_TRUE((*records)->execute("UPDATE connection_secret SET sealed=$1", {records::Value::bytes_of(sealed)}, soon));
  EXPECT_EQ(use().error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::keys
