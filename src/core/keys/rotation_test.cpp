// Rotation of region, tenant, day and connection keys. T4 of the acceptance tests, as far as keyd decides it.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/text.h"
#include "core/keys/key_service.h"
#include "core/keys/keystore.h"
#include "core/keys/rotation.h"
#include "fakes/in_process_keys.h"
#include "formats/sealed/box.h"
#include "platform/crypto/hash.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds noon = 1'790'000'000'000;
constexpr std::uint32_t rows_in_a_step = 64;
constexpr Milliseconds milliseconds_in_day = 86'400'000;

Deadline soon() { return Deadline::after(std::chrono::seconds(5)); }

class RotationTest : public ::testing::Test {
 protected:
  RotationTest() : directory_(std::filesystem::temp_directory_path() / ("rotation-" + Id::random().text())) {
    std::filesystem::create_directories(directory_);
    reopen();
  }
  ~RotationTest() override {
    keys_.reset();
    std::filesystem::remove_all(directory_);
  }
  void reopen() {
    keys_.reset();
    keys_ = std::make_unique<InProcessKeys>(
        directory_,
        [](const UseRequest& request, std::string_view, Milliseconds now) -> Result<VerifiedReceipt> {
          return VerifiedReceipt{crypto::sha256(request.receipt), now, now + 30'000};
        },
        clock_, rows_in_a_step);
  }
  KeyService& service() { return keys_->service; }

  // A tenant with days, spool keys, links and a secret.
  Id add_tenant() {
    const Id tenant = Id::random();
    EXPECT_TRUE(service().create_tenant(tenant));
    for (std::uint32_t day = today_ - 5; day <= today_; ++day) EXPECT_TRUE(service().day_key(tenant, day));
    EXPECT_TRUE(service().spool_public_key(tenant));
    SecretRecord record{tenant, connection_, "policy", {}};
    record.box = sealed::seal_box(service().secret_public_key().value(),
                                  entry_context(InProcessKeys::region, tenant, connection_, "policy"),
                                  encode_password("user", "password").value().reveal())
                     .value();
    EXPECT_TRUE(service().put_secret(record));
    return tenant;
  }
  // All that can be got of a tenant, as text.
  std::string everything_of(Id tenant) {
    std::string all;
    const auto add = [&](auto result) {
      EXPECT_TRUE(result) << result.error().detail;
      if constexpr (requires { result->key; }) {
        all += result->key.reveal();
      } else if constexpr (requires { result->public_key; }) {
        all += result->public_key;
      } else {
        all += result->reveal();
      }
    };
    for (std::uint32_t day = today_ - 5; day <= today_; ++day) add(service().day_key(tenant, day, 1));
    add(service().spool_private_key(tenant, today_));
    add(service().link_key(tenant, 1));
    add(service().purpose_key(tenant, Purpose::configuration));
    add(service().purpose_key(tenant, Purpose::token));
    add(service().ledger_public_key(tenant));
    add(service().use({tenant, connection_, "policy", "purpose", "smtp_plain", Id::random().text()}));
    return all;
  }
  std::size_t finish() {
    std::size_t steps = 0;
    for (;; ++steps) {
      const auto worked = service().rewrap_step();
      EXPECT_TRUE(worked) << worked.error().detail;
      if (!worked || !*worked) return steps;
    }
  }
  std::int64_t count(const std::string& sql) {
    auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), soon());
    return (*records)->query(sql, {}, soon()).value()[0][0].number();
  }
  std::map<std::string, std::string> last_event(const std::string& name) {
    std::map<std::string, std::string> fields;
    for (const KeyEvent& event : service().events().value()) {
      if (event.name == name) fields = event.fields;
    }
    return fields;
  }

  std::filesystem::path directory_;
  ManualClock clock_{noon};
  const std::uint32_t today_ = day_of(noon);
  const Id connection_ = Id::random();
  std::unique_ptr<InProcessKeys> keys_;
};

TEST_F(RotationTest, T4_a_region_rotation_rewraps_all_tenants_and_the_old_key_dies) {
  std::map<Id, std::string> before;
  for (int i = 0; i < 5; ++i) {
    const Id tenant = add_tenant();
    before[tenant] = everything_of(tenant);
  }
  const std::string seed(service().ledger_signing_seed().value().reveal());
  std::filesystem::copy_file(directory_ / "keystore.db", directory_ / "old-backup.db");
  ASSERT_TRUE(service().rotate_region());
  EXPECT_EQ(service().rotate_region().error().kind, ErrorKind::already_exists);
  for (const auto& [tenant, all] : before) EXPECT_EQ(everything_of(tenant), all);  // while it is under way
  const Id late = add_tenant();
  finish();
  EXPECT_EQ(last_event("key.rewrap_completed").at("rows"), "5");
  EXPECT_EQ(count("SELECT count(*) FROM wrapped_key WHERE slot IN (0, 101, 102) AND key_version<2"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM wrapped_key WHERE slot=100 AND version=1 AND length(sealed)>0"), 0);
  EXPECT_TRUE(service().status().rotations.empty());
  reopen();
  for (const auto& [tenant, all] : before) EXPECT_EQ(everything_of(tenant), all);
  EXPECT_TRUE(service().link_key(late, 0));
  EXPECT_EQ(service().ledger_signing_seed().value().reveal(), seed);
  // A tenant's row from before, put back, hangs from a key that is gone.
  const Id tenant = before.begin()->first;
  auto old = Keystore::open(directory_ / "old-backup.db");
  const KeyRow row = old->find({tenant, Slot::tenant, 0, 1}).value();
  auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), soon());
  for (const std::uint32_t claimed : {1U, 2U}) {
    ASSERT_TRUE((*records)->execute("UPDATE wrapped_key SET sealed=$2, key_version=$3 WHERE tenant=$1 AND slot=0",
                                    {records::Value::bytes_of(tenant.bytes()), records::Value::bytes_of(row.sealed), claimed},
                                    soon()));
    reopen();
    EXPECT_FALSE(service().link_key(tenant, 0));
  }
}

TEST_F(RotationTest, T4_a_tenant_rotation_rewraps_all_below_it_and_the_old_keys_die) {
  const Id tenant = add_tenant();
  const Id other = add_tenant();
  const std::string before = everything_of(tenant);
  ASSERT_TRUE(service().rotate_link_key(tenant));
  ASSERT_TRUE(service().rotate_tenant(tenant));
  EXPECT_EQ(service().rotate_tenant(tenant).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(everything_of(tenant), before);
  finish();
  EXPECT_EQ(last_event("key.rewrap_completed").at("rows"), "8");  // six days, a spool day, a connection
  EXPECT_EQ(last_event("key.rewrap_completed").at("secrets_left"), "0");
  const std::string mine = "x'" + to_hex(tenant.bytes()) + "'";
  EXPECT_EQ(
      count("SELECT count(*) FROM wrapped_key WHERE slot BETWEEN 1 AND 99 AND key_version<2 AND length(sealed)>0 AND tenant=" +
            mine),
      0);
  EXPECT_EQ(count("SELECT count(*) FROM connection_secret WHERE key_version<2 AND tenant=" + mine), 0);
  EXPECT_EQ(
      count(
          "SELECT count(*) FROM wrapped_key WHERE slot IN (0,1,2,8) AND epoch=0 AND version=1 AND length(sealed)>0 AND tenant=" +
          mine),
      0);
  reopen();
  EXPECT_EQ(everything_of(tenant), before);
  EXPECT_EQ(service().link_key(tenant, 0)->version, 2U);
  EXPECT_FALSE(everything_of(other).empty());
  EXPECT_EQ(service().rotate_tenant(Id::random()).error().kind, ErrorKind::not_found);
}

TEST_F(RotationTest, a_rotation_goes_on_where_it_was_after_the_process_died) {
  const Id tenant = add_tenant();
  auto keystore = Keystore::open(directory_ / "keystore.db");
  // More days than three steps take, written as keyd would over the years.
  for (std::uint32_t day = 1; day <= 200; ++day) {
    clock_.set(static_cast<Milliseconds>(day + 10'000) * milliseconds_in_day);
    ASSERT_TRUE(service().day_key(tenant, day + 10'000));
  }
  clock_.set(noon);
  ASSERT_TRUE(service().rotate_tenant(tenant));
  ASSERT_TRUE(*service().rewrap_step());  // the spool's day
  ASSERT_TRUE(*service().rewrap_step());
  const RotationProgress progress = service().status().rotations.at(0);
  EXPECT_EQ(progress.done, 1U + rows_in_a_step);
  EXPECT_EQ(progress.total, 200U + 6 + 1 + 1);
  EXPECT_GT(count("SELECT count(*) FROM wrapped_key WHERE slot=8 AND epoch>0 AND key_version=1"), 0);
  reopen();  // nothing of the process is left but the file
  EXPECT_TRUE(service().day_key(tenant, 10'001, 1));
  EXPECT_TRUE(service().day_key(tenant, 10'200, 1));
  finish();
  EXPECT_EQ(last_event("key.rewrap_completed").at("rows"), "208");
  reopen();
  EXPECT_TRUE(service().day_key(tenant, 10'001, 1));
  EXPECT_TRUE(service().day_key(tenant, 10'200, 1));
}

TEST_F(RotationTest, a_day_rotates_when_the_store_says_it_is_done) {
  const Id tenant = add_tenant();
  const std::string old(service().day_key(tenant, today_)->key.reveal());
  ASSERT_TRUE(service().rotate_day(tenant, today_));
  EXPECT_EQ(service().rotate_day(tenant, today_).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(service().rotate_day(tenant, today_ - 100).error().kind, ErrorKind::not_found);
  const auto newest = service().day_key(tenant, today_);
  EXPECT_EQ(newest->version, 2U);
  EXPECT_NE(newest->key.reveal(), old);
  EXPECT_EQ(service().day_key(tenant, today_, 1)->key.reveal(), old);  // still opens what it wrapped
  EXPECT_FALSE(*service().rewrap_step());                              // nothing that keyd could do
  ASSERT_TRUE(service().end_day_rotation(tenant, today_, 42));
  EXPECT_EQ(service().day_key(tenant, today_, 1).error().kind, ErrorKind::not_found);
  EXPECT_EQ(service().day_key(tenant, today_)->version, 2U);
  EXPECT_EQ(last_event("key.rewrap_completed").at("rows"), "42");
  EXPECT_EQ(service().end_day_rotation(tenant, today_, 42).error().kind, ErrorKind::not_found);
}

TEST_F(RotationTest, a_connection_key_rotates_at_once_and_stays_bound_to_its_policy) {
  const Id tenant = add_tenant();
  const SecretRow before = Keystore::open(directory_ / "keystore.db")->secret(tenant, connection_).value();
  ASSERT_TRUE(service().rotate_connection(tenant, connection_));
  const SecretRow after = Keystore::open(directory_ / "keystore.db")->secret(tenant, connection_).value();
  EXPECT_EQ(after.connection_key_version, before.connection_key_version + 1);
  EXPECT_NE(after.key_id, before.key_id);
  EXPECT_EQ(last_event("key.rotated").at("of_connection"), connection_.text());
  EXPECT_TRUE(service().use({tenant, connection_, "policy", "purpose", "smtp_plain", "leaf 1"}));
  EXPECT_FALSE(service().use({tenant, connection_, "evil policy", "purpose", "smtp_plain", "leaf 2"}));
  EXPECT_EQ(service().rotate_connection(tenant, Id::random()).error().kind, ErrorKind::not_found);
}

TEST_F(RotationTest, T6_an_old_connection_key_put_back_does_not_open_the_secret) {
  const Id tenant = add_tenant();
  const SecretRow before = Keystore::open(directory_ / "keystore.db")->secret(tenant, connection_).value();
  ASSERT_TRUE(service().rotate_connection(tenant, connection_));
  auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), soon());
  ASSERT_TRUE(
      (*records)->execute("UPDATE connection_secret SET sealed_key=$1", {records::Value::bytes_of(before.sealed_key)}, soon()));
  EXPECT_EQ(service().use({tenant, connection_, "policy", "purpose", "smtp_plain", "leaf 1"}).error().kind, ErrorKind::corrupt);
}

TEST_F(RotationTest, a_hold_gets_a_key_that_outlives_its_days_and_can_be_destroyed) {
  const Id tenant = add_tenant();
  constexpr std::uint32_t hold = 0x80000000 + 7;
  const std::string key(service().day_key(tenant, hold)->key.reveal());
  ASSERT_TRUE(service().rotate_tenant(tenant));
  finish();
  clock_.advance(400LL * milliseconds_in_day);
  EXPECT_EQ(service().day_key(tenant, hold)->key.reveal(), key);
  ASSERT_TRUE(service().destroy_day(tenant, hold));
  EXPECT_EQ(service().day_key(tenant, hold).error().kind, ErrorKind::not_found);
  EXPECT_EQ(last_event("key.shredded").at("scope"), "day");
}

TEST_F(RotationTest, what_is_shredded_is_not_brought_back_by_a_rewrap) {
  const Id tenant = add_tenant();
  ASSERT_TRUE(service().rotate_tenant(tenant));
  ASSERT_TRUE(service().destroy_day(tenant, today_ - 3));
  finish();
  EXPECT_EQ(service().day_key(tenant, today_ - 3).error().kind, ErrorKind::not_found);
  EXPECT_EQ(last_event("key.shredded").at("region_version"), "1");
  const Id gone = add_tenant();
  ASSERT_TRUE(service().rotate_region());
  ASSERT_TRUE(service().rotate_tenant(gone));
  ASSERT_TRUE(service().destroy_tenant(gone));
  finish();
  EXPECT_EQ(service().link_key(gone, 0).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(service().status().rotations.empty());
}

// A step prepares the next one before it is written: what happens in between counts.
TEST_F(RotationTest, what_is_prepared_ahead_brings_nothing_back_and_does_not_outlive_the_seal) {
  const Id tenant = add_tenant();
  for (std::uint32_t day = 10'001; day <= 10'200; ++day) {
    clock_.set(static_cast<Milliseconds>(day) * milliseconds_in_day);
    ASSERT_TRUE(service().day_key(tenant, day));
  }
  clock_.set(noon);
  const std::string before(service().day_key(tenant, 10'070, 1)->key.reveal());
  ASSERT_TRUE(service().rotate_tenant(tenant));
  ASSERT_TRUE(*service().rewrap_step());  // the spool's day
  ASSERT_TRUE(*service().rewrap_step());  // up to 10'064; those behind it are prepared
  ASSERT_TRUE(service().destroy_day(tenant, 10'066));
  ASSERT_TRUE(*service().rewrap_step());
  EXPECT_EQ(service().day_key(tenant, 10'066, 1).error().kind, ErrorKind::not_found);
  EXPECT_EQ(service().day_key(tenant, 10'070, 1)->key.reveal(), before);
  service().seal();
  EXPECT_EQ(service().rewrap_step().error().kind, ErrorKind::unavailable);
  ASSERT_TRUE(service().unseal(SealKind::passphrase, InProcessKeys::passphrase));
  finish();
  EXPECT_TRUE(service().status().rotations.empty());
  EXPECT_EQ(count("SELECT count(*) FROM wrapped_key WHERE slot=8 AND epoch>0 AND key_version<2 AND length(sealed)>0"), 0);
  EXPECT_EQ(service().day_key(tenant, 10'066, 1).error().kind, ErrorKind::not_found);
  EXPECT_EQ(service().day_key(tenant, 10'070, 1)->key.reveal(), before);

  // A second one at once, and the tenant goes while a batch is prepared.
  ASSERT_TRUE(service().rotate_tenant(tenant));
  ASSERT_TRUE(*service().rewrap_step());
  ASSERT_TRUE(*service().rewrap_step());
  ASSERT_TRUE(service().destroy_tenant(tenant));
  EXPECT_FALSE(*service().rewrap_step());
}

TEST_F(RotationTest, a_cursor_that_says_too_much_leaves_nothing_behind) {
  const Id tenant = add_tenant();
  const std::string before = everything_of(tenant);
  ASSERT_TRUE(service().rotate_tenant(tenant));
  keys_.reset();
  {
    auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), soon());
    const std::string behind_all_days = std::string("\x08", 1) + std::string(8, '\xff');
    ASSERT_TRUE((*records)->execute("UPDATE rotation SET cursor=$1", {records::Value::bytes_of(behind_all_days)}, soon()));
  }
  reopen();
  finish();
  EXPECT_EQ(count("SELECT count(*) FROM wrapped_key WHERE epoch>0 AND key_version<2 AND length(sealed)>0"), 0);
  EXPECT_EQ(everything_of(tenant), before);
}

TEST_F(RotationTest, a_secret_of_format_1_gets_its_own_key_when_it_is_used) {
  keys_.reset();
  std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(directory_);
  std::filesystem::copy_file(std::filesystem::path(MAILHOLD_SOURCE_DIR) / "src/core/keys/testdata/format-1.db",
                             directory_ / "keystore.db");
  reopen();
  const Id tenant = Id::from_bytes("tenant-of-format");
  const Id connection = Id::from_bytes("connection-of-f1");
  EXPECT_EQ(service().rotate_connection(tenant, connection).error().kind, ErrorKind::unsupported);
  ASSERT_TRUE(service().rotate_tenant(tenant));
  finish();
  EXPECT_EQ(last_event("key.rewrap_completed").at("secrets_left"), "1");
  ASSERT_TRUE(service().use({tenant, connection, "policy", "purpose", "smtp_plain", "leaf 1"}));
  ASSERT_TRUE(service().rotate_connection(tenant, connection));
  ASSERT_TRUE(service().rotate_tenant(tenant));
  finish();
  EXPECT_EQ(last_event("key.rewrap_completed").at("secrets_left"), "0");
  EXPECT_EQ(service().use({tenant, connection, "policy", "purpose", "smtp_plain", "leaf 2"})->reveal(),
            std::string_view("\0user\0password", 14));
}

}  // namespace
}  // namespace mailhold::keys
