// Seals of a region: made, opened, refused, drilled. T3 of the acceptance tests, as far as keyd decides it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/keys/key_service.h"
#include "core/keys/keystore.h"
#include "fakes/in_process_keys.h"
#include "platform/records/records.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds noon = 1'790'000'000'000;
constexpr crypto::Argon2idCost cheap{.memory_bytes = 64 << 10, .passes = 1};

// A token in the test's own memory: keys under labels, a PIN each.
struct FakeToken {
  std::string pin = "123456";
  bool there = true;
  std::map<std::string, std::string> wrapped{};

  TokenKeys keys() {
    return {[this](const std::string& token, std::string_view given, std::string_view key) -> Result<std::string> {
              if (!there) return Error{ErrorKind::unavailable, "token " + token + " is not there"};
              if (given != pin) return Error{ErrorKind::denied, "wrong PIN"};
              const std::string handle = "handle" + std::to_string(wrapped.size());
              wrapped[handle] = std::string(key);
              return handle;
            },
            [this](const std::string& token, std::string_view given, std::string_view handle) -> Result<SecretText> {
              if (!there) return Error{ErrorKind::unavailable, "token " + token + " is not there"};
              if (given != pin) return Error{ErrorKind::denied, "wrong PIN"};
              return SecretText::copy_of(wrapped.at(std::string(handle)));
            }};
  }
};

SealRequest passphrase_seal(std::string_view passphrase) {
  SealRequest request;
  request.secret = SecretText::copy_of(passphrase);
  return request;
}
SealRequest shamir_seal(std::uint8_t threshold, std::uint8_t shares) {
  SealRequest request;
  request.kind = SealKind::shamir;
  request.threshold = threshold;
  request.shares = shares;
  return request;
}
SealRequest token_seal(const std::string& token, std::string_view pin) {
  SealRequest request;
  request.kind = SealKind::pkcs11;
  request.token = token;
  request.secret = SecretText::copy_of(pin);
  return request;
}
template <class... Each>
std::vector<SealRequest> seals(Each... each) {
  std::vector<SealRequest> all;
  (all.push_back(std::move(each)), ...);
  return all;
}

class Seals : public ::testing::Test {
 protected:
  Seals() : directory_(std::filesystem::temp_directory_path() / ("seals-" + Id::random().text())) {
    std::filesystem::create_directories(directory_);
    service_ = open("test");
  }
  ~Seals() override {
    service_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::unique_ptr<KeyService> open(const std::string& region, const std::string& file = "keystore.db") {
    return std::make_unique<KeyService>(KeyService::Settings{directory_ / file, region, cheap, token_.keys()}, ReceiptVerifier{},
                                        clock_);
  }
  void start(std::vector<SealRequest> requests) {
    auto shares = service_->initialise(requests);
    ASSERT_TRUE(shares) << shares.error().detail;
    for (const SecretText& share : *shares) shares_.emplace_back(share.reveal());
  }
  void start() { start(seals(passphrase_seal("correct horse"), shamir_seal(3, 5))); }
  std::string lines(std::initializer_list<std::size_t> which) {
    std::string text;
    for (const std::size_t i : which) text += shares_[i] + "\n";
    return text;
  }
  std::string refusal(SealKind kind, const std::string& secret) {
    const auto outcome = service_->unseal(kind, secret);
    EXPECT_FALSE(outcome);
    EXPECT_EQ(service_->status().seal, Seal::sealed);
    return outcome ? "" : outcome.error().detail;
  }
  std::size_t count_events(const std::string& name) {
    std::size_t count = 0;
    for (const KeyEvent& event : service_->events().value()) count += event.name == name ? 1 : 0;
    return count;
  }

  std::filesystem::path directory_;
  ManualClock clock_{noon};
  FakeToken token_;
  std::unique_ptr<KeyService> service_;
  std::vector<std::string> shares_;
};

TEST_F(Seals, a_region_is_made_with_two_independent_seals_or_not_at_all) {
  EXPECT_EQ(service_->initialise(seals(passphrase_seal("correct horse"))).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(service_->initialise(seals(passphrase_seal("correct horse"), passphrase_seal("correct horse"))).error().kind,
            ErrorKind::invalid_input);
  EXPECT_EQ(service_->initialise(seals(token_seal("a", "123456"), token_seal("a", "123456"))).error().kind,
            ErrorKind::invalid_input);
  EXPECT_EQ(service_->initialise(seals(passphrase_seal("short"), shamir_seal(2, 3))).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(service_->initialise(seals(passphrase_seal("correct horse"), shamir_seal(1, 3))).error().kind,
            ErrorKind::invalid_input);
  EXPECT_EQ(service_->status().seal, Seal::uninitialised);
  start();
  EXPECT_EQ(service_->initialise(seals(passphrase_seal("another one"), shamir_seal(2, 3))).error().kind,
            ErrorKind::already_exists);
}

TEST_F(Seals, each_seal_opens_the_region_alone) {
  start(seals(passphrase_seal("correct horse"), shamir_seal(3, 5), token_seal("vault", "123456")));
  const std::string seed(service_->ledger_signing_seed().value().reveal());
  for (const auto& [kind, secret] : {std::pair<SealKind, std::string>{SealKind::passphrase, "correct horse"},
                                     {SealKind::shamir, lines({4, 0, 2})},
                                     {SealKind::pkcs11, "123456"}}) {
    service_ = open("test");
    const auto progress = service_->unseal(kind, secret);
    ASSERT_TRUE(progress) << progress.error().detail;
    EXPECT_TRUE(progress->unsealed);
    EXPECT_EQ(service_->ledger_signing_seed().value().reveal(), seed);
  }
}

TEST_F(Seals, T3_too_few_shares_do_not_unseal_and_the_last_one_does) {
  start();
  service_->seal();
  auto progress = service_->unseal(SealKind::shamir, lines({1})).value();
  EXPECT_FALSE(progress.unsealed);
  EXPECT_EQ(progress.shares_given, 1);
  EXPECT_EQ(progress.shares_needed, 3);
  EXPECT_FALSE(service_->unseal(SealKind::shamir, lines({1}))->unsealed);  // the same one again
  progress = service_->unseal(SealKind::shamir, lines({3})).value();
  EXPECT_EQ(progress.shares_given, 2);
  EXPECT_EQ(service_->status().seal, Seal::sealed);
  EXPECT_TRUE(service_->unseal(SealKind::shamir, lines({0}))->unsealed);
  EXPECT_EQ(service_->status().seal, Seal::unsealed);
}

TEST_F(Seals, T3_shares_are_not_kept_for_longer_than_a_quarter_of_an_hour) {
  start();
  service_->seal();
  ASSERT_TRUE(service_->unseal(SealKind::shamir, lines({0, 1})));
  clock_.advance(16 * 60 * 1000);
  EXPECT_EQ(service_->unseal(SealKind::shamir, lines({2}))->shares_given, 1);
  EXPECT_EQ(service_->status().seal, Seal::sealed);
}

TEST_F(Seals, T3_a_wrong_share_is_named) {
  start();
  service_->seal();
  // Mistyped: by place and group.
  std::string typo = shares_[1];
  typo[9] = typo[9] == '7' ? '8' : '7';
  EXPECT_EQ(refusal(SealKind::shamir, shares_[0] + "\n" + typo), "the share given as number 2: group 2 of the share is mistyped");
  // Changed, with all its checks made right: by its number.
  RecoveryShare changed = parse_share(shares_[3]).value();
  changed.value.data()[7] = static_cast<char>(changed.value.data()[7] ^ 1);
  EXPECT_EQ(refusal(SealKind::shamir, lines({0, 1}) + std::string(write_share(changed).reveal())),
            "share 4 was changed: it is not the one that was handed out");
  RecoveryShare renumbered = parse_share(shares_[3]).value();
  renumbered.index = 2;
  EXPECT_EQ(refusal(SealKind::shamir, std::string(write_share(renumbered).reveal())),
            "share 2 was changed: it is not the one that was handed out");
  // The good ones that came before are still good.
  ASSERT_TRUE(service_->unseal(SealKind::shamir, lines({0, 1, 4}))->unsealed);
}

TEST_F(Seals, T3_shares_of_another_region_or_set_are_refused_by_name) {
  start();
  auto other = open("elsewhere", "other.db");
  const auto foreign = other->initialise(seals(passphrase_seal("correct horse"), shamir_seal(3, 5))).value();
  const auto later = service_->add_seal(shamir_seal(3, 5)).value();
  service_->seal();
  EXPECT_EQ(refusal(SealKind::shamir, lines({0, 1}) + std::string(foreign[2].reveal())), "share 3 is of another region");
  EXPECT_EQ(refusal(SealKind::shamir, lines({0, 1}) + std::string(later[2].reveal())), "share 3 is of another set of shares");
}

TEST_F(Seals, T3_every_attempt_is_an_event_for_the_ledger) {
  start();
  service_->seal();
  (void)service_->unseal(SealKind::passphrase, "wrong passphrase");
  (void)service_->unseal(SealKind::shamir, "not a share");
  EXPECT_EQ(count_events("key.unseal_refused"), 2U);
  ASSERT_TRUE(service_->unseal(SealKind::passphrase, "correct horse"));
  EXPECT_EQ(count_events("key.unsealed"), 1U);
  for (const KeyEvent& event : service_->events().value()) ASSERT_TRUE(service_->forget_event(event.id));
  EXPECT_TRUE(service_->events()->empty());
}

TEST_F(Seals, T3_attempts_at_once_do_not_disturb_each_other) {
  start();
  service_->seal();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { (void)service_->unseal(SealKind::passphrase, "wrong passphrase"); });
    threads.emplace_back([&, i] { (void)service_->unseal(SealKind::shamir, shares_[static_cast<std::size_t>(i)]); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(service_->status().seal, Seal::unsealed);
  EXPECT_TRUE(service_->create_tenant(Id::random()));
}

TEST_F(Seals, a_lost_token_and_a_wrong_pin_have_one_clear_error_and_the_other_seal_opens) {
  start(seals(token_seal("vault", "123456"), shamir_seal(2, 3)));
  service_->seal();
  EXPECT_EQ(refusal(SealKind::pkcs11, "000000"), "wrong PIN");
  token_.there = false;
  EXPECT_EQ(refusal(SealKind::pkcs11, "123456"), "token vault is not there");
  ASSERT_TRUE(service_->unseal(SealKind::shamir, lines({0, 2}))->unsealed);
  // A new token takes the lost one's place.
  token_ = FakeToken{"654321"};
  ASSERT_TRUE(service_->add_seal(token_seal("second", "654321")));
  for (const SealInfo& seal : service_->status().seals) {
    if (seal.token == "vault") ASSERT_TRUE(service_->remove_seal(seal.id));
  }
  service_->seal();
  EXPECT_TRUE(service_->unseal(SealKind::pkcs11, "654321")->unsealed);
}

TEST_F(Seals, two_seals_always_stay) {
  start();
  const Id first = service_->status().seals.front().id;
  EXPECT_EQ(service_->remove_seal(first).error().kind, ErrorKind::denied);
  EXPECT_EQ(service_->remove_seal(Id::random()).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(service_->add_seal(passphrase_seal("a new passphrase")));
  ASSERT_TRUE(service_->remove_seal(service_->status().seals.front().id));
  EXPECT_EQ(service_->status().seals.size(), 2U);
}

TEST_F(Seals, a_drill_proves_a_seal_and_changes_nothing_else) {
  start();
  const std::string seed(service_->ledger_signing_seed().value().reveal());
  EXPECT_EQ(service_->status().seals[1].drilled_at, 0);
  const auto drilled = service_->drill(SealKind::shamir, lines({2, 3, 4}));
  ASSERT_TRUE(drilled) << drilled.error().detail;
  EXPECT_EQ(drilled->kind, SealKind::shamir);
  EXPECT_EQ(drilled->drilled_at, clock_.now());
  EXPECT_EQ(service_->drill(SealKind::shamir, lines({2, 3})).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(service_->drill(SealKind::passphrase, "wrong passphrase").error().kind, ErrorKind::denied);
  EXPECT_EQ(service_->ledger_signing_seed().value().reveal(), seed);
  service_->seal();
  EXPECT_TRUE(service_->drill(SealKind::passphrase, "correct horse"));
  EXPECT_EQ(service_->status().seal, Seal::sealed);                        // a drill does not unseal
  EXPECT_FALSE(service_->unseal(SealKind::shamir, lines({0}))->unsealed);  // nor does it keep shares
}

TEST_F(Seals, a_drill_refuses_the_wrap_of_another_root) {
  start();
  // Somebody puts a wrap of a root of his own into the file.
  auto other = open("test", "other.db");
  ASSERT_TRUE(other->initialise(seals(passphrase_seal("evil passphrase"), shamir_seal(2, 3))));
  auto theirs = Keystore::open(directory_ / "other.db");
  auto ours = Keystore::open(directory_ / "keystore.db");
  const SealRow planted = theirs->seals().value().front();
  ASSERT_EQ(planted.kind, SealKind::passphrase);
  ASSERT_TRUE(ours->add_seal(planted, {Id::random(), 0, {}, "x", {}}));
  EXPECT_EQ(service_->drill(SealKind::passphrase, "evil passphrase").error().kind, ErrorKind::corrupt);
  service_->seal();
  EXPECT_EQ(service_->drill(SealKind::passphrase, "evil passphrase").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(service_->unseal(SealKind::passphrase, "evil passphrase").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(service_->status().seal, Seal::sealed);
  EXPECT_TRUE(service_->unseal(SealKind::passphrase, "correct horse"));
}

TEST_F(Seals, a_wrap_with_changed_parameters_does_not_open) {
  start();
  service_->seal();
  auto records = records::open("sqlite:" + (directory_ / "keystore.db").string(), Deadline::after(std::chrono::seconds(5)));
  // The passphrase's salt and cost, one byte each; the share count of the set.
  for (const int at : {5, 23, 30}) {
    const records::Values where = {at};
    ASSERT_TRUE((*records)->execute(
        "UPDATE root_seal SET parameters=substr(parameters,1,$1-1)||x'09'||substr(parameters,$1+1) WHERE kind=1", where,
        Deadline::after(std::chrono::seconds(5))));
    EXPECT_FALSE(service_->unseal(SealKind::passphrase, "correct horse"));
  }
  EXPECT_TRUE(service_->unseal(SealKind::shamir, lines({0, 1, 2}))->unsealed);
}

TEST_F(Seals, a_keystore_of_format_1_opens_and_takes_a_second_seal) {
  std::filesystem::copy_file(std::filesystem::path(MAILHOLD_SOURCE_DIR) / "src/core/keys/testdata/format-1.db",
                             directory_ / "keystore.db");
  service_ = open("test");
  ASSERT_TRUE(service_->unseal(SealKind::passphrase, "correct horse battery"));
  EXPECT_EQ(service_->status().seals.size(), 1U);
  const auto shares = service_->add_seal(shamir_seal(2, 3)).value();
  for (const SecretText& share : shares) shares_.emplace_back(share.reveal());
  service_ = open("test");
  ASSERT_TRUE(service_->unseal(SealKind::shamir, lines({0, 2}))->unsealed);
  EXPECT_EQ(service_->status().tenants, 1U);
}

TEST_F(Seals, no_share_or_passphrase_lies_in_the_file) {
  start();
  std::vector<std::string> needles = {"correct horse"};
  for (const std::string& share : shares_) needles.emplace_back(parse_share(share).value().value.reveal());
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    for (const std::string& needle : needles) EXPECT_EQ(bytes.find(needle), std::string::npos);
  }
}

}  // namespace
}  // namespace mailhold::keys
