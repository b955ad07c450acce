#include "core/keys/key_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "core/keys/key_door.h"
#include "core/keys/key_messages.h"
#include "fakes/in_process_keys.h"
#include "formats/sealed/box.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds noon = 1'790'000'000'000;

class KeyClientTest : public ::testing::Test {
 protected:
  KeyClientTest() : directory_(std::filesystem::temp_directory_path() / ("keys-" + Id::random().text())) {
    std::filesystem::create_directories(directory_);
    keys_ = std::make_unique<InProcessKeys>(directory_, ReceiptVerifier(), clock_);
    EXPECT_TRUE(keys_->service.create_tenant(tenant_));
  }
  ~KeyClientTest() override {
    keys_.reset();
    std::filesystem::remove_all(directory_);
  }

  // A client whose leases run on the test's time.
  std::unique_ptr<KeyClient> client(const std::string& role) {
    return std::make_unique<KeyClient>(
        [this, role](std::uint16_t method, std::string_view body, const Deadline&) -> Result<std::string> {
          ++calls_;
          if (keys_->away) return Error{ErrorKind::unavailable, "keyd is away"};
          ASSIGN_OR_RETURN(const SecretText answer, keys_->door.answer(role, method, body));
          return std::string(answer.reveal());
        },
        LeaseTimes{}, [this] { return now_; });
  }
  void wait(std::chrono::steady_clock::duration time) {
    now_ += time;
    clock_.advance(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  }
  sealed::Context spool_place(std::uint32_t version) const {
    return {.region = InProcessKeys::region,
            .tenant = tenant_,
            .kind = sealed::Kind::spool_hour_key,
            .object_id = "segment 1",
            .key_id = tenant_,
            .key_version = version};
  }

  std::filesystem::path directory_;
  ManualClock clock_{noon};
  std::chrono::steady_clock::time_point now_ = std::chrono::steady_clock::now();
  std::unique_ptr<InProcessKeys> keys_;
  Id tenant_ = Id::random();
  int calls_ = 0;
};

Deadline soon() { return Deadline::after(std::chrono::seconds(5)); }

TEST_F(KeyClientTest, T16_each_role_may_ask_only_what_its_work_needs) {
  const std::map<std::string, std::set<Method>> allowed = {
      {"gatewayd-in", {Method::spool_public_key, Method::link_key}},
      {"gatewayd-out",
       {Method::spool_private_keys, Method::day_key, Method::destroy_day, Method::purpose_key, Method::token_key,
        Method::end_day_rotation}},
      {"linkd", {Method::link_key}},
      {"apid",
       {Method::status,
        Method::initialise,
        Method::unseal,
        Method::create_tenant,
        Method::destroy_tenant,
        Method::purpose_key,
        Method::ledger_public_key,
        Method::open_ledger_box,
        Method::ledger_verifying_key,
        Method::secret_public_key,
        Method::put_secret,
        Method::destroy_secret,
        Method::rotate_link_key,
        Method::add_seal,
        Method::remove_seal,
        Method::drill,
        Method::rotate,
        Method::events,
        Method::forget_event,
        Method::confirm,
        Method::seal}},
      {"brokerd",
       {Method::purpose_key, Method::ledger_public_key, Method::ledger_verifying_key, Method::secret_public_key,
        Method::put_secret, Method::destroy_secret}},
      {"workerd", {Method::day_key, Method::token_key}},
      {"searchd", {Method::purpose_key}},
      {"ledgerd", {Method::ledger_signing_seed, Method::ledger_verifying_key}},
      {"authd", {Method::use}},
      {"scannerd", {}},
      {"tokend", {}},
      {"resolverd", {}},
      {"", {}},
  };
  for (const auto& [role, methods] : allowed) {
    for (std::uint16_t number = 0; number <= 64; ++number) {
      const bool may = methods.contains(static_cast<Method>(number));
      EXPECT_EQ(may_call(role, static_cast<Method>(number)), may) << role << " " << name_of(static_cast<Method>(number));
      if (!may) {
        EXPECT_EQ(keys_->door.answer(role, number, tenant_.bytes()).error().kind, ErrorKind::denied);
      }
    }
  }
}

TEST_F(KeyClientTest, purpose_keys_go_to_the_role_they_are_for) {
  EXPECT_TRUE(client("gatewayd-out")->purpose_key(tenant_, Purpose::trace, soon()));
  EXPECT_TRUE(client("apid")->purpose_key(tenant_, Purpose::configuration, soon()));
  EXPECT_TRUE(client("brokerd")->purpose_key(tenant_, Purpose::configuration, soon()));
  // The index key, which is made when it is first asked for, and is the same then.
  const auto index = client("searchd")->purpose_key(tenant_, Purpose::index, soon());
  ASSERT_TRUE(index);
  EXPECT_EQ(client("searchd")->purpose_key(tenant_, Purpose::index, soon())->key.reveal(), index->key.reveal());
  EXPECT_EQ(client("searchd")->purpose_key(Id::random(), Purpose::index, soon()).error().kind, ErrorKind::not_found);
  for (const char* role : {"workerd", "gatewayd-out", "apid", "scannerd"})
    EXPECT_EQ(client(role)->purpose_key(tenant_, Purpose::index, soon()).error().kind, ErrorKind::denied) << role;
  EXPECT_EQ(client("searchd")->purpose_key(tenant_, Purpose::trace, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(client("brokerd")->purpose_key(tenant_, Purpose::trace, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(client("gatewayd-out")->purpose_key(tenant_, Purpose::configuration, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(client("apid")->purpose_key(tenant_, Purpose::trace, soon()).error().kind, ErrorKind::denied);
  for (const Purpose purpose : {Purpose::connection, Purpose::spool, Purpose::ledger, Purpose::store, Purpose::link}) {
    EXPECT_EQ(client("apid")->purpose_key(tenant_, purpose, soon()).error().kind, ErrorKind::denied);
    EXPECT_EQ(keys_->service.purpose_key(tenant_, purpose).error().kind, ErrorKind::denied);
  }
}

TEST_F(KeyClientTest, days_of_backups_have_keys_of_their_own_for_workerd_alone) {
  const std::uint32_t day = day_of(noon);
  auto worker = client("workerd");
  auto out = client("gatewayd-out");
  const std::string backup = std::string(worker->day_key(tenant_, backup_epoch_first + day, soon()).value().key.reveal());
  EXPECT_NE(backup, out->day_key(tenant_, day, soon()).value().key.reveal());
  EXPECT_EQ(worker->day_key(tenant_, day, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(worker->day_key(tenant_, hold_epoch_first, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(out->day_key(tenant_, backup_epoch_first + day, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(out->destroy_day(tenant_, backup_epoch_first + day, soon()).error().kind, ErrorKind::denied);

  // Mail of that day is rotated and shredded; backups of it still open.
  wait(std::chrono::hours(36 * 24));
  EXPECT_TRUE(out->destroy_day(tenant_, day, soon()));
  EXPECT_EQ(client("workerd")->day_key(tenant_, backup_epoch_first + day, 1, soon()).value().key.reveal(), backup);
}

TEST_F(KeyClientTest, what_gatewayd_in_seals_only_gatewayd_out_opens) {
  auto in = client("gatewayd-in");
  auto out = client("gatewayd-out");
  const SpoolKey key = in->spool_public_key(tenant_, soon()).value();
  const std::string context = spool_place(key.version).encode();
  const std::string box = sealed::seal_box(key.public_key, spool_place(key.version), "hour key").value();
  EXPECT_EQ(out->open_spool_box(tenant_, key.version, box, context, soon()).value().reveal(), "hour key");
  EXPECT_EQ(in->open_spool_box(tenant_, key.version, box, context, soon()).error().kind, ErrorKind::denied);
  sealed::Context elsewhere = spool_place(key.version);
  elsewhere.object_id = "segment 2";
  EXPECT_EQ(out->open_spool_box(tenant_, key.version, box, elsewhere.encode(), soon()).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(out->open_spool_box(Id::random(), key.version, box, context, soon()).error().kind, ErrorKind::corrupt);
}

TEST_F(KeyClientTest, a_lease_is_asked_for_again_after_an_hour_only) {
  auto linkd = client("linkd");
  ASSERT_TRUE(linkd->link_key(tenant_, soon()));
  ASSERT_TRUE(linkd->link_key(tenant_, soon()));
  EXPECT_EQ(calls_, 1);
  wait(std::chrono::minutes(61));
  ASSERT_TRUE(linkd->link_key(tenant_, soon()));
  EXPECT_EQ(calls_, 2);
}

TEST_F(KeyClientTest, leases_outlive_keyd_by_a_day_and_more) {
  auto in = client("gatewayd-in");
  auto out = client("gatewayd-out");
  const SpoolKey spool = in->spool_public_key(tenant_, soon()).value();
  const std::string box = sealed::seal_box(spool.public_key, spool_place(spool.version), "hour key").value();
  const std::string link = std::string(in->link_key(tenant_, soon()).value().key.reveal());
  const std::uint32_t today = day_of(noon);
  const std::string tomorrow = std::string(keys_->service.day_key(tenant_, today + 1).value().key.reveal());
  ASSERT_TRUE(out->open_spool_box(tenant_, spool.version, box, spool_place(spool.version).encode(), soon()));
  ASSERT_TRUE(out->day_key(tenant_, today, soon()));
  ASSERT_TRUE(out->token_key(tenant_, soon()));
  ASSERT_TRUE(out->purpose_key(tenant_, Purpose::trace, soon()));

  keys_->away = true;
  for (int hour = 0; hour < 25; ++hour) {
    wait(std::chrono::hours(1));
    EXPECT_EQ(in->spool_public_key(tenant_, soon()).value().public_key, spool.public_key);
    EXPECT_EQ(in->link_key(tenant_, soon()).value().key.reveal(), link);
    EXPECT_TRUE(out->open_spool_box(tenant_, spool.version, box, spool_place(spool.version).encode(), soon()));
    EXPECT_TRUE(out->day_key(tenant_, today, soon()));
    EXPECT_EQ(out->day_key(tenant_, today + 1, soon()).value().key.reveal(), tomorrow);
    EXPECT_TRUE(out->token_key(tenant_, soon()));
    EXPECT_TRUE(out->purpose_key(tenant_, Purpose::trace, soon()));
  }
  wait(std::chrono::hours(48));
  EXPECT_EQ(in->link_key(tenant_, soon()).error().kind, ErrorKind::unavailable);

  keys_->away = false;
  EXPECT_EQ(in->link_key(tenant_, soon()).value().key.reveal(), link);
}

TEST_F(KeyClientTest, gatewayd_out_holds_the_spool_key_that_gatewayd_in_takes_after_midnight) {
  auto in = client("gatewayd-in");
  auto out = client("gatewayd-out");
  const SpoolKey today = in->spool_public_key(tenant_, soon()).value();
  const std::string box = sealed::seal_box(today.public_key, spool_place(today.version), "k").value();
  ASSERT_TRUE(out->open_spool_box(tenant_, today.version, box, spool_place(today.version).encode(), soon()));
  wait(std::chrono::hours(24));
  const SpoolKey next = in->spool_public_key(tenant_, soon()).value();
  EXPECT_EQ(next.version, today.version + 1);
  const std::string later = sealed::seal_box(next.public_key, spool_place(next.version), "k").value();
  keys_->away = true;
  EXPECT_TRUE(out->open_spool_box(tenant_, next.version, later, spool_place(next.version).encode(), soon()));
}

TEST_F(KeyClientTest, a_sealed_region_leaves_leases_alone_and_a_destroyed_tenant_ends_them) {
  auto linkd = client("linkd");
  ASSERT_TRUE(linkd->link_key(tenant_, soon()));
  keys_->service.seal();
  wait(std::chrono::hours(2));
  EXPECT_TRUE(linkd->link_key(tenant_, soon()));
  ASSERT_TRUE(keys_->service.unseal(SealKind::passphrase, InProcessKeys::passphrase));
  ASSERT_TRUE(keys_->service.destroy_tenant(tenant_));
  wait(std::chrono::hours(2));
  EXPECT_EQ(linkd->link_key(tenant_, soon()).error().kind, ErrorKind::not_found);
  keys_->away = true;
  EXPECT_EQ(linkd->link_key(tenant_, soon()).error().kind, ErrorKind::unavailable);
}

TEST_F(KeyClientTest, keyd_away_is_asked_again_every_few_seconds_only) {
  auto linkd = client("linkd");
  ASSERT_TRUE(linkd->link_key(tenant_, soon()));
  keys_->away = true;
  wait(std::chrono::hours(2));
  calls_ = 0;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(linkd->link_key(tenant_, soon()));
  EXPECT_EQ(calls_, 1);
}

TEST_F(KeyClientTest, the_operator_sees_the_state_of_the_region) {
  auto apid = client("apid");
  const KeyStatus status = apid->status(soon()).value();
  EXPECT_EQ(status.seal, Seal::unsealed);
  EXPECT_EQ(status.region, InProcessKeys::region);
  EXPECT_EQ(status.tenants, 1u);
  EXPECT_EQ(status.secret_public_key, apid->secret_public_key(soon()).value());
  const auto ceremony = [&](Method method, std::string_view what, std::string_view secret) {
    return keys_->door.answer("apid", static_cast<std::uint16_t>(method), encode_ceremony(what, secret).reveal());
  };
  EXPECT_EQ(ceremony(Method::unseal, encode_kind(SealKind::passphrase), "wrong passphrase").error().kind, ErrorKind::denied);
  EXPECT_EQ(ceremony(Method::unseal, "\x09", "wrong passphrase").error().kind, ErrorKind::invalid_input);
  EXPECT_TRUE(
      parse_progress(ceremony(Method::unseal, encode_kind(SealKind::passphrase), InProcessKeys::passphrase).value().reveal())
          ->unsealed);
}

TEST_F(KeyClientTest, malformed_questions_are_answered_as_such) {
  for (std::uint16_t number = 1; number <= 28; ++number) {
    if (!may_call("apid", static_cast<Method>(number))) continue;
    const Method method = static_cast<Method>(number);
    if (method == Method::unseal || method == Method::initialise) continue;
    EXPECT_EQ(keys_->door.answer("apid", number, "x").error().kind, ErrorKind::invalid_input) << name_of(method);
  }
}

TEST_F(KeyClientTest, many_threads_ask_at_once) {
  auto in = keys_->client("gatewayd-in");
  auto out = keys_->client("gatewayd-out");
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        const std::uint32_t day = day_of(noon) - static_cast<std::uint32_t>(n % 5);
        if (!in->link_key(tenant_, soon()) || !in->spool_public_key(tenant_, soon()) || !out->day_key(tenant_, day, soon()))
          ++failures;
        if (i == 0 && n % 5 == 0) in->forget_leases();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace mailhold::keys
