#include "core/keys/key_service.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/keys/keystore.h"
#include "fakes/in_process_keys.h"
#include "formats/sealed/box.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds noon = 1'790'000'000'000;

class KeyServiceTest : public ::testing::Test {
 protected:
  KeyServiceTest() : directory_(std::filesystem::temp_directory_path() / ("keys-" + Id::random().text())) {
    std::filesystem::create_directories(directory_);
    reopen();
    tenant_ = make_tenant();
  }
  ~KeyServiceTest() override {
    keys_.reset();
    std::filesystem::remove_all(directory_);
  }

  void reopen() {
    keys_.reset();
    keys_ = std::make_unique<InProcessKeys>(
        directory_, [this](const UseRequest& request, std::string_view, Milliseconds now) { return verify(request, now); },
        clock_);
  }

  // The ledger's part, told by the test: a receipt is "<leaf>" and is for the policy it names.
  Result<VerifiedReceipt> verify(const UseRequest& request, Milliseconds now) {
    if (!request.receipt.starts_with("leaf")) return Error{ErrorKind::denied, "no genuine receipt"};
    return VerifiedReceipt{crypto::sha256(request.receipt), issued_at_ == 0 ? now : issued_at_, now + 30'000};
  }

  Id make_tenant() {
    const Id tenant = Id::random();
    EXPECT_TRUE(service().create_tenant(tenant));
    return tenant;
  }
  KeyService& service() { return keys_->service; }

  SecretRecord record(Id tenant, Id connection, const std::string& policy, std::string_view password = "hunter2!") {
    SecretRecord record{tenant, connection, policy, {}};
    record.box =
        sealed::seal_box(service().secret_public_key().value(), entry_context(InProcessKeys::region, tenant, connection, policy),
                         encode_password("mail@a.example", password).value().reveal())
            .value();
    return record;
  }
  UseRequest use_of(Id tenant, Id connection, const std::string& policy, const std::string& receipt) {
    UseRequest request;
    request.tenant = tenant;
    request.connection = connection;
    request.policy = policy;
    request.receipt = receipt;
    return request;
  }
  ErrorKind failure(const Result<SecretText>& result) { return result ? ErrorKind::bug : result.error().kind; }

  std::filesystem::path directory_;
  ManualClock clock_{noon};
  Milliseconds issued_at_ = 0;
  std::unique_ptr<InProcessKeys> keys_;
  Id tenant_;
};

TEST_F(KeyServiceTest, keys_survive_a_restart) {
  const auto before = service().link_key(tenant_, 0).value().key.duplicate();
  const std::string day = std::string(service().day_key(tenant_, day_of(noon)).value().key.reveal());
  const std::string spool = service().spool_public_key(tenant_).value().public_key;
  const std::string seed = std::string(service().ledger_signing_seed().value().reveal());
  reopen();
  EXPECT_EQ(before.reveal(), service().link_key(tenant_, 0).value().key.reveal());
  EXPECT_EQ(day, service().day_key(tenant_, day_of(noon)).value().key.reveal());
  EXPECT_EQ(spool, service().spool_public_key(tenant_).value().public_key);
  EXPECT_EQ(seed, service().ledger_signing_seed().value().reveal());
}

TEST_F(KeyServiceTest, a_wrong_passphrase_is_denied_and_changes_nothing) {
  service().seal();
  EXPECT_EQ(service().status().seal, Seal::sealed);
  const auto outcome = service().unseal(SealKind::passphrase, "not the passphrase");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::denied);
  EXPECT_EQ(service().status().seal, Seal::sealed);
  EXPECT_EQ(service().link_key(tenant_, 0).error().kind, ErrorKind::unavailable);
  ASSERT_TRUE(service().unseal(SealKind::passphrase, InProcessKeys::passphrase));
  EXPECT_TRUE(service().link_key(tenant_, 0));
  EXPECT_EQ(service().unseal(SealKind::passphrase, "not the passphrase").error().kind,
            ErrorKind::denied);  // nor does it seal what is unsealed
  EXPECT_TRUE(service().link_key(tenant_, 0));
}

TEST_F(KeyServiceTest, a_keystore_of_another_region_does_not_open) {
  KeyService other({directory_ / "keystore.db", "elsewhere", {}}, {}, clock_);
  EXPECT_EQ(other.unseal(SealKind::passphrase, InProcessKeys::passphrase).error().kind, ErrorKind::denied);
}

TEST_F(KeyServiceTest, tenants_have_different_keys) {
  const Id other = make_tenant();
  EXPECT_NE(service().link_key(tenant_, 0).value().key.reveal(), service().link_key(other, 0).value().key.reveal());
  EXPECT_NE(service().ledger_public_key(tenant_).value().public_key, service().ledger_public_key(other).value().public_key);
  EXPECT_EQ(service().create_tenant(other).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(service().link_key(Id::random(), 0).error().kind, ErrorKind::not_found);
}

TEST_F(KeyServiceTest, a_row_of_one_tenant_does_not_open_in_the_place_of_another) {
  const Id other = make_tenant();
  keys_.reset();
  {
    auto keystore = Keystore::open(directory_ / "keystore.db");
    ASSERT_TRUE(keystore);
    auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), Deadline::after(std::chrono::seconds(5)));
    ASSERT_TRUE(records);
    const auto copied = (*records)->execute(
        "UPDATE wrapped_key SET sealed=(SELECT a.sealed FROM wrapped_key a WHERE a.tenant=$1 AND a.slot=3 AND a.epoch=0), "
        "id=(SELECT a.id FROM wrapped_key a WHERE a.tenant=$1 AND a.slot=3 AND a.epoch=0) WHERE tenant=$2 AND slot=3 AND epoch=0",
        {records::Value::bytes_of(tenant_.bytes()), records::Value::bytes_of(other.bytes())},
        Deadline::after(std::chrono::seconds(5)));
    ASSERT_TRUE(copied);
    ASSERT_EQ(*copied, 1u);
  }
  reopen();
  EXPECT_TRUE(service().link_key(tenant_, 0));
  EXPECT_EQ(service().link_key(other, 0).error().kind, ErrorKind::corrupt);
}

TEST_F(KeyServiceTest, a_destroyed_tenant_never_comes_back) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "policy")));
  ASSERT_TRUE(service().destroy_tenant(tenant_));
  EXPECT_EQ(service().link_key(tenant_, 0).error().kind, ErrorKind::not_found);
  EXPECT_EQ(service().spool_public_key(tenant_).error().kind, ErrorKind::not_found);
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "leaf"))), ErrorKind::not_found);
  EXPECT_EQ(service().create_tenant(tenant_).error().kind, ErrorKind::already_exists);
}

TEST_F(KeyServiceTest, a_day_gets_its_key_late_but_not_after_it_was_destroyed) {
  const std::uint32_t today = day_of(noon);
  EXPECT_TRUE(service().day_key(tenant_, today - 30));
  EXPECT_TRUE(service().day_key(tenant_, today + 1));
  EXPECT_EQ(service().day_key(tenant_, today + 2).error().kind, ErrorKind::not_found);
  EXPECT_EQ(service().day_key(tenant_, today - 36).error().kind, ErrorKind::not_found);
  EXPECT_EQ(service().destroy_day(tenant_, today).error().kind, ErrorKind::invalid_input);
  ASSERT_TRUE(service().destroy_day(tenant_, today - 30));
  EXPECT_EQ(service().day_key(tenant_, today - 30).error().kind, ErrorKind::not_found);
  reopen();
  EXPECT_EQ(service().day_key(tenant_, today - 30).error().kind, ErrorKind::not_found);
}

TEST_F(KeyServiceTest, old_link_keys_stay_after_a_rotation) {
  const LinkKey before = service().link_key(tenant_, 0).value();
  ASSERT_TRUE(service().rotate_link_key(tenant_));
  const LinkKey after = service().link_key(tenant_, 0).value();
  EXPECT_EQ(after.version, before.version + 1);
  EXPECT_NE(after.key.reveal(), before.key.reveal());
  EXPECT_EQ(service().link_key(tenant_, before.version).value().key.reveal(), before.key.reveal());
}

TEST_F(KeyServiceTest, a_ledger_box_opens_only_in_the_context_it_was_sealed_in) {
  const LedgerPublicKey key = service().ledger_public_key(tenant_).value();
  sealed::Context context{
      .region = InProcessKeys::region, .tenant = tenant_, .kind = sealed::Kind::ledger_hour_key, .object_id = "hour 1"};
  const std::string box = sealed::seal_box(key.public_key, context, "hour key").value();
  EXPECT_EQ(service().open_ledger_box(tenant_, key.version, context.encode(), box).value().reveal(), "hour key");
  sealed::Context elsewhere = context;
  elsewhere.object_id = "hour 2";
  EXPECT_EQ(failure(service().open_ledger_box(tenant_, key.version, elsewhere.encode(), box)), ErrorKind::corrupt);
  const Id other = make_tenant();
  EXPECT_EQ(failure(service().open_ledger_box(other, key.version, context.encode(), box)), ErrorKind::corrupt);
}

TEST_F(KeyServiceTest, the_seed_signs_what_the_verifying_key_verifies) {
  const auto signer = crypto::Ed25519Signer::from_seed(service().ledger_signing_seed().value().reveal());
  ASSERT_TRUE(signer);
  EXPECT_TRUE(crypto::ed25519_verify(service().ledger_verifying_key().value(), "checkpoint", signer->sign("checkpoint")));
}

TEST_F(KeyServiceTest, a_secret_is_used_as_a_sasl_plain_message) {
  const Id connection = Id::random();
  EXPECT_EQ(service().put_secret(record(tenant_, connection, "mx.a.example:587")).value(), 1u);
  const auto used = service().use(use_of(tenant_, connection, "mx.a.example:587", "leaf 1"));
  ASSERT_TRUE(used) << used.error().detail;
  EXPECT_EQ(used->reveal(), std::string_view("\0mail@a.example\0hunter2!", 24));
  EXPECT_EQ(service().put_secret(record(tenant_, connection, "mx.a.example:587", "newer")).value(), 2u);
  EXPECT_EQ(service().use(use_of(tenant_, connection, "mx.a.example:587", "leaf 2"))->reveal(),
            std::string_view("\0mail@a.example\0newer", 21));
}

TEST_F(KeyServiceTest, a_secret_does_not_open_for_another_destination) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "mx.a.example:587 pin 1")));
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "mx.evil.example:587 pin 1", "leaf 1"))), ErrorKind::corrupt);
  EXPECT_TRUE(service().use(use_of(tenant_, connection, "mx.a.example:587 pin 1", "leaf 2")));
}

TEST_F(KeyServiceTest, a_box_made_for_another_record_is_not_stored) {
  const Id connection = Id::random();
  const SecretRecord genuine = record(tenant_, connection, "mx.a.example:587");
  SecretRecord moved = genuine;
  moved.policy = "mx.evil.example:587";
  EXPECT_EQ(service().put_secret(moved).error().kind, ErrorKind::corrupt);
  moved = genuine;
  moved.connection = Id::random();
  EXPECT_EQ(service().put_secret(moved).error().kind, ErrorKind::corrupt);
  moved = genuine;
  moved.tenant = make_tenant();
  EXPECT_EQ(service().put_secret(moved).error().kind, ErrorKind::corrupt);
  EXPECT_TRUE(service().put_secret(genuine));
}

TEST_F(KeyServiceTest, a_receipt_is_good_for_one_use) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "policy")));
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "forged"))), ErrorKind::denied);
  EXPECT_TRUE(service().use(use_of(tenant_, connection, "policy", "leaf 1")));
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "leaf 1"))), ErrorKind::denied);
  // A failed use spends it too: nobody may try destinations with one receipt.
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "other", "leaf 2"))), ErrorKind::corrupt);
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "leaf 2"))), ErrorKind::denied);
}

TEST_F(KeyServiceTest, a_receipt_older_than_the_process_is_refused) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "policy")));
  ASSERT_TRUE(service().use(use_of(tenant_, connection, "policy", "leaf 1")));
  issued_at_ = clock_.now();
  clock_.advance(1000);
  reopen();
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "leaf 1"))), ErrorKind::denied);
}

TEST_F(KeyServiceTest, a_destroyed_secret_is_gone_and_its_version_is_not_used_again) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "policy")));
  ASSERT_TRUE(service().destroy_secret(tenant_, connection));
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "leaf 1"))), ErrorKind::not_found);
  EXPECT_EQ(service().put_secret(record(tenant_, connection, "policy")).value(), 2u);
}

TEST_F(KeyServiceTest, no_key_or_secret_lies_in_the_file) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "mx.a.example:587", "sesame-sesame")));
  std::vector<std::string> needles = {"sesame-sesame", "mail@a.example", "mx.a.example"};
  needles.emplace_back(service().link_key(tenant_, 0).value().key.reveal());
  needles.emplace_back(service().day_key(tenant_, day_of(noon)).value().key.reveal());
  needles.emplace_back(service().ledger_signing_seed().value().reveal());
  needles.emplace_back(service().spool_private_key(tenant_, day_of(noon)).value().reveal());
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    for (const std::string& needle : needles) EXPECT_EQ(bytes.find(needle), std::string::npos) << entry.path().filename();
  }
}

TEST_F(KeyServiceTest, a_row_of_a_replaced_secret_does_not_open_when_put_back) {
  const Id connection = Id::random();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "policy", "old")));
  auto keystore = Keystore::open(directory_ / "keystore.db");
  ASSERT_TRUE(keystore);
  const SecretRow old = keystore->secret(tenant_, connection).value();
  ASSERT_TRUE(service().put_secret(record(tenant_, connection, "policy", "new")));
  SecretRow forged = old;
  forged.version = 3;  // the old bytes in a new row, with its own key and all
  ASSERT_TRUE(keystore->put_secret(forged, {}));
  EXPECT_EQ(failure(service().use(use_of(tenant_, connection, "policy", "leaf 1"))), ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::keys
