// Rotation of the root: every seal opens the next one, nothing else is lost, and the old root opens nothing that is left. T4 for
// the topmost key, and the part of T8 that keyd decides: what no current root opens, and when the ledger may say so.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "core/keys/hierarchy.h"
#include "core/keys/key_service.h"
#include "core/keys/keystore.h"
#include "core/keys/root_seals.h"
#include "platform/crypto/x25519.h"

namespace mailhold::keys {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds noon = 1'790'000'000'000;
constexpr Milliseconds milliseconds_in_day = 86'400'000;
constexpr crypto::Argon2idCost cheap{.memory_bytes = 64 << 10, .passes = 1};
constexpr const char* region = "test";
constexpr const char* passphrase = "correct horse";
constexpr const char* pin = "123456";

// A token that keeps what it wrapped under a handle.
TokenKeys token_in(std::map<std::string, std::string>& kept) {
  return {[&kept](const std::string&, std::string_view given, std::string_view key) -> Result<std::string> {
            if (given != pin) return Error{ErrorKind::denied, "wrong PIN"};
            const std::string handle = "handle" + std::to_string(kept.size());
            kept[handle] = std::string(key);
            return handle;
          },
          [&kept](const std::string&, std::string_view given, std::string_view handle) -> Result<SecretText> {
            if (given != pin) return Error{ErrorKind::denied, "wrong PIN"};
            return SecretText::copy_of(kept.at(std::string(handle)));
          }};
}

class RootRotation : public ::testing::Test {
 protected:
  RootRotation() : folder_(fs::temp_directory_path() / ("root-rotation-" + Id::random().text())) {
    fs::create_directories(folder_);
    reopen();
  }
  ~RootRotation() override {
    service_.reset();
    fs::remove_all(folder_);
  }
  void reopen(const std::string& file = "keystore.db") {
    service_.reset();
    service_ = std::make_unique<KeyService>(
        KeyService::Settings{folder_ / file, region, cheap, token_in(token_), /*rewrap_rows=*/2}, ReceiptVerifier{}, clock_);
  }
  void start() {
    std::vector<SealRequest> seals(3);
    seals[0].secret = SecretText::copy_of(passphrase);
    seals[1].kind = SealKind::shamir;
    seals[1].threshold = 3;
    seals[1].shares = 5;
    seals[2].kind = SealKind::pkcs11;
    seals[2].token = "vault";
    seals[2].secret = SecretText::copy_of(pin);
    const auto made = service_->initialise(seals);
    ASSERT_TRUE(made) << made.error().detail;
    for (const SecretText& share : *made) shares_.emplace_back(share.reveal());
    for (int i = 0; i < 5; ++i) add_tenant();
  }
  void add_tenant() {
    tenants_.push_back(Id::random());
    ASSERT_TRUE(service_->create_tenant(tenants_.back()));
    ASSERT_TRUE(service_->day_key(tenants_.back(), day_of(noon)));
  }
  std::string everything() {
    std::string all(service_->ledger_signing_seed().value().reveal());
    all += service_->secret_public_key().value();
    for (const Id tenant : tenants_) {
      all += service_->link_key(tenant, 1).value().key.reveal();
      all += service_->day_key(tenant, day_of(noon), 1).value().key.reveal();
    }
    return all;
  }
  std::string three_shares(std::size_t from) { return shares_[from] + "\n" + shares_[from + 1] + "\n" + shares_[from + 2]; }
  Status unseal(SealKind kind) {
    const std::string secret = kind == SealKind::shamir ? three_shares(1) : kind == SealKind::pkcs11 ? pin : passphrase;
    const auto progress = service_->unseal(kind, secret);
    if (!progress) return progress.error();
    return done();
  }
  void finish() {
    for (;;) {
      const auto worked = service_->rewrap_step();
      ASSERT_TRUE(worked) << worked.error().detail;
      if (!*worked) return;
    }
  }
  std::vector<std::map<std::string, std::string>> events(const std::string& name) {
    std::vector<std::map<std::string, std::string>> found;
    for (const KeyEvent& event : service_->events().value()) {
      if (event.name == name) found.push_back(event.fields);
    }
    return found;
  }
  // All that a file of the folder and its log hold.
  std::string bytes_of(const std::string& file) {
    std::string all;
    for (const char* more : {"", "-wal"}) {
      std::ifstream stream(folder_ / (file + more), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(stream), {});
    }
    return all;
  }
  // As backups copy it: whatever lies in the log comes along.
  void copy_to(const std::string& file) {
    fs::remove(folder_ / file);
    const Deadline deadline = Deadline::after(std::chrono::seconds(5));
    auto records = records::open("sqlite:" + (folder_ / "keystore.db").string(), deadline);
    ASSERT_TRUE((*records)->execute("VACUUM INTO $1", {records::Value((folder_ / file).string())}, deadline));
  }
  std::string old_root(const std::string& file) {
    const RootSeals seals(region, cheap, token_in(token_));
    auto old = Keystore::open(folder_ / file);
    return std::string(seals.open_by_passphrase(old->seals().value().front(), passphrase).value().root.reveal());
  }

  fs::path folder_;
  ManualClock clock_{noon};
  std::map<std::string, std::string> token_;
  std::vector<std::string> shares_;
  std::vector<Id> tenants_;
  std::unique_ptr<KeyService> service_;
};

TEST_F(RootRotation, T4_every_seal_opens_the_next_root_and_the_old_one_opens_nothing) {
  start();
  const std::string before = everything();
  copy_to("old.db");
  ASSERT_TRUE(service_->rotate_root());
  EXPECT_EQ(service_->rotate_root().error().kind, ErrorKind::already_exists);
  EXPECT_EQ(everything(), before);  // while it is under way
  // The old root is gone when rotate_root returns: its wraps are in the file no more, and it opens nothing there.
  auto old = Keystore::open(folder_ / "old.db");
  const std::string file = bytes_of("keystore.db");
  for (const SealRow& seal : old->seals().value()) EXPECT_EQ(file.find(seal.sealed), std::string::npos);
  EXPECT_EQ(file.find(old->newest({}, Slot::region, 0).value().sealed), std::string::npos);
  {
    auto now = Keystore::open(folder_ / "keystore.db");
    SecretPages pages;
    EXPECT_EQ(Hierarchy(*now, pages, region).check(old_root("old.db")).error().kind, ErrorKind::corrupt);
    EXPECT_TRUE(Hierarchy(*old, pages, region).check(old_root("old.db")));
  }
  finish();
  EXPECT_EQ(service_->status().root_version, 2U);
  EXPECT_EQ(service_->status().region_version, 2U);
  EXPECT_EQ(events("key.rotation_begun").back().at("scope"), "root");
  EXPECT_EQ(events("key.rewrap_completed").back().at("root_version"), "2");
  EXPECT_EQ(events("key.rewrap_completed").back().at("rows"), "5");
  EXPECT_EQ(bytes_of("keystore.db").find(old->find({tenants_[0], Slot::tenant, 0, 1}).value().sealed), std::string::npos);
  for (const SealKind kind : {SealKind::passphrase, SealKind::shamir, SealKind::pkcs11}) {
    reopen();
    const Status opened = unseal(kind);
    ASSERT_TRUE(opened) << opened.error().detail;
    EXPECT_EQ(everything(), before);
  }
  for (const SealInfo& seal : service_->status().seals) EXPECT_EQ(seal.root_version, 2U);
  EXPECT_TRUE(service_->drill(SealKind::shamir, three_shares(2)));
  ASSERT_TRUE(service_->rotate_root());  // and again, from what the first one left
  finish();
  reopen();
  ASSERT_TRUE(unseal(SealKind::shamir));
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(service_->status().root_version, 3U);
}

TEST_F(RootRotation, it_goes_on_where_it_was_after_the_process_died) {
  start();
  const std::string before = everything();
  ASSERT_TRUE(service_->rotate_root());
  ASSERT_TRUE(*service_->rewrap_step());
  EXPECT_EQ(service_->status().rotations.at(0).done, 2U);
  EXPECT_EQ(service_->status().rotations.at(0).total, 5U);
  reopen();  // nothing of the process is left but the file
  ASSERT_TRUE(unseal(SealKind::pkcs11));
  EXPECT_EQ(everything(), before);
  finish();
  EXPECT_EQ(events("key.rewrap_completed").at(0).at("rows"), "5");
  EXPECT_EQ(everything(), before);
}

TEST_F(RootRotation, a_seal_that_was_changed_in_the_file_gets_no_root) {
  start();
  const std::string before = everything();
  // Somebody who can write the file would like to have the next root.
  const crypto::X25519KeyPair his = crypto::x25519_generate();
  auto file = Keystore::open(folder_ / "keystore.db");
  const std::vector<SealRow> genuine = file->seals().value();
  const auto refused = [&](const SealRow& seal) {
    ASSERT_TRUE(file->replace_seal(seal, {Id::random(), 0, {}, "x", {}}));
    const Status outcome = service_->rotate_root();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::denied);
    EXPECT_NE(outcome.error().detail.find(seal.id.text()), std::string::npos);
    EXPECT_EQ(service_->status().root_version, 1U);
    EXPECT_TRUE(service_->status().rotations.empty());
  };
  SealRow changed = genuine[0];
  changed.public_key = his.public_key;
  refused(changed);
  changed = genuine[1];
  changed.vouched = genuine[0].vouched;
  ASSERT_TRUE(file->replace_seal(genuine[0], {Id::random(), 0, {}, "x", {}}));
  refused(changed);
  changed = genuine[1];
  changed.sealed_private.back() = static_cast<char>(changed.sealed_private.back() ^ 1);  // it would open for nobody
  refused(changed);
  ASSERT_TRUE(file->replace_seal(genuine[1], {Id::random(), 0, {}, "x", {}}));
  // A whole seal of his own region.
  KeyService other({folder_ / "his.db", region, cheap, token_in(token_), 2}, ReceiptVerifier{}, clock_);
  std::vector<SealRequest> two(2);
  two[0].secret = SecretText::copy_of("evil passphrase");
  two[1].kind = SealKind::shamir;
  two[1].threshold = two[1].shares = 2;
  ASSERT_TRUE(other.initialise(two));
  const SealRow planted = Keystore::open(folder_ / "his.db")->seals().value().front();
  ASSERT_TRUE(file->add_seal(planted, {Id::random(), 0, {}, "x", {}}));
  EXPECT_EQ(service_->rotate_root().error().kind, ErrorKind::denied);
  ASSERT_TRUE(service_->remove_seal(planted.id));
  ASSERT_TRUE(service_->rotate_root());
  finish();
  EXPECT_EQ(everything(), before);
}

TEST_F(RootRotation, a_seal_of_before_put_back_opens_an_old_root_and_nothing_else) {
  start();
  const SealRow old = Keystore::open(folder_ / "keystore.db")->seals().value().front();
  ASSERT_TRUE(service_->rotate_root());
  finish();
  reopen();
  auto file = Keystore::open(folder_ / "keystore.db");
  const SealRow genuine = file->seals().value().front();
  ASSERT_TRUE(file->replace_seal(old, {Id::random(), 0, {}, "x", {}}));
  EXPECT_EQ(unseal(SealKind::passphrase).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(service_->status().seal, Seal::sealed);
  ASSERT_TRUE(unseal(SealKind::shamir));
  EXPECT_EQ(service_->rotate_root().error().kind, ErrorKind::denied);  // it is not what the root vouches for
  ASSERT_TRUE(file->replace_seal(genuine, {Id::random(), 0, {}, "x", {}}));
  EXPECT_TRUE(service_->rotate_root());
}

TEST_F(RootRotation, seals_of_format_2_are_brought_up_to_date_when_they_are_opened) {
  // Made by the program that wrote format 2, with a passphrase and three of five shares.
  fs::copy_file(fs::path(MAILHOLD_SOURCE_DIR) / "src/core/keys/testdata/format-2.db", folder_ / "keystore.db");
  constexpr const char* old_passphrase = "correct horse battery staple";
  const std::string shares =
      "0443NJ-233QMG-FZ2JRE-305EX6-1RYFCR-9SMPK2-8AAXZ0-B449FR-G9DCTJ-GPSEC6-K28PW1-CNHTGH-Y80S92-JVFAGH-1H5ENT-D1GZ1H\n"
      "0443NJ-233QMG-FZ2JRE-30ENAS-096016-VF4BGY-DCCJHA-BN0FER-KT4104-A21A5H-Y532KZ-DJMWMA-4DGKH5-ZHYS04-AMXGQ4-BJPC24\n"
      "0443NJ-233QMG-FZ2JRE-30QW2F-3EJ37Z-7YFTYN-9ZTB6H-ZHB4W8-MP6QX2-HZY629-HN3E36-JBGGZN-QHAFNE-7DFE6Y-CA1J4Z-Q2YGWE";
  tenants_ = {Id::parse("9f8b969ca9299b42e52a262825c2ef15").value()};
  reopen();
  const auto key_pairs = [this] {
    std::string each;
    for (const SealInfo& seal : service_->status().seals) each += seal.has_key_pair ? "k" : "-";
    return each;
  };
  EXPECT_EQ(key_pairs(), "--");
  const auto wrong = service_->unseal(SealKind::passphrase, "not the passphrase");
  EXPECT_EQ(wrong.error().kind, ErrorKind::denied);
  EXPECT_EQ(key_pairs(), "--");
  ASSERT_TRUE(service_->unseal(SealKind::passphrase, old_passphrase));
  EXPECT_EQ(key_pairs(), "k-");
  const Status refused = service_->rotate_root();
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_NE(refused.error().detail.find("(shamir) is of an older format"), std::string::npos) << refused.error().detail;
  ASSERT_TRUE(service_->drill(SealKind::shamir, shares));
  EXPECT_EQ(key_pairs(), "kk");
  EXPECT_EQ(events("key.seal_renewed").size(), 2U);
  const std::string link(service_->link_key(tenants_[0], 1).value().key.reveal());
  ASSERT_TRUE(service_->rotate_root());
  finish();
  for (const bool by_shares : {false, true}) {
    reopen();
    ASSERT_TRUE(by_shares ? service_->unseal(SealKind::shamir, shares) : service_->unseal(SealKind::passphrase, old_passphrase));
    EXPECT_EQ(service_->link_key(tenants_[0], 1).value().key.reveal(), link);
  }
  // A file of format 1 has one seal, and another one is needed first.
  fs::copy_file(fs::path(MAILHOLD_SOURCE_DIR) / "src/core/keys/testdata/format-1.db", folder_ / "one.db");
  reopen("one.db");
  ASSERT_TRUE(service_->unseal(SealKind::passphrase, "correct horse battery"));
  EXPECT_EQ(key_pairs(), "k");
  EXPECT_EQ(service_->rotate_root().error().kind, ErrorKind::denied);
}

// A copy of the file from before, in the hands of somebody without any seal's secret but with all current keys.
TEST_F(RootRotation, T8_rows_of_a_shredded_tenant_from_an_old_copy_open_under_no_current_key) {
  start();
  const Id gone = tenants_.back();
  copy_to("old.db");
  ASSERT_TRUE(service_->destroy_tenant(gone));
  tenants_.pop_back();
  ASSERT_TRUE(service_->rotate_root());
  finish();
  const std::string before = everything();
  service_.reset();
  auto old = Keystore::open(folder_ / "old.db");
  auto now = Keystore::open(folder_ / "keystore.db");
  std::vector<KeyRow> rows = old->versions(gone, Slot::tenant, 0).value();
  for (KeyRow& row : old->purpose_keys(gone).value()) rows.push_back(std::move(row));
  for (const std::uint32_t claimed : {1U, 2U}) {
    rows.front().key_version = claimed;
    copy_to("mixed.db");
    ASSERT_TRUE(Keystore::open(folder_ / "mixed.db")->insert(rows));
    reopen("mixed.db");
    ASSERT_TRUE(unseal(SealKind::shamir));
    EXPECT_FALSE(service_->link_key(gone, 1));
    EXPECT_EQ(everything(), before);
  }
  // Such a copy with its own seals is another thing: what it holds opens for whoever has a passphrase, until it is deleted.
  reopen("old.db");
  ASSERT_TRUE(unseal(SealKind::passphrase));
  EXPECT_TRUE(service_->link_key(gone, 1));
}

TEST_F(RootRotation, T8_the_ledger_is_told_when_no_copy_opens_what_was_shredded) {
  start();
  const Id gone = tenants_.back();
  ASSERT_TRUE(service_->destroy_day(tenants_[0], day_of(noon) - 1).error().kind == ErrorKind::not_found);
  ASSERT_TRUE(service_->destroy_tenant(gone));
  tenants_.pop_back();
  EXPECT_EQ(events("key.shredded").at(0).at("root_version"), "1");
  clock_.advance(36 * milliseconds_in_day);
  finish();
  EXPECT_TRUE(events("key.shred_completed").empty());  // the root that opens copies lives
  ASSERT_TRUE(service_->rotate_root());
  clock_.advance(2 * 60 * 1000);
  finish();
  ASSERT_EQ(events("key.shred_completed").size(), 1U);
  EXPECT_EQ(events("key.shred_completed").at(0).at("scope"), "tenant");
  EXPECT_EQ(events("key.shred_completed").at(0).at("root_version"), "1");
  // Now the other way round: the root is gone at once, and copies live for 35 days.
  const std::uint32_t day = day_of(clock_.now());
  ASSERT_TRUE(service_->day_key(tenants_[0], day - 1));
  ASSERT_TRUE(service_->day_key(tenants_[0], day - 2));
  ASSERT_TRUE(service_->destroy_day(tenants_[0], day - 1));
  ASSERT_TRUE(service_->destroy_day(tenants_[0], day - 2));
  ASSERT_TRUE(service_->rotate_root());
  clock_.advance(35 * milliseconds_in_day - 1000);
  finish();
  EXPECT_EQ(events("key.shred_completed").size(), 1U);
  clock_.advance(2 * 60 * 1000);
  reopen();  // it is remembered in the file
  ASSERT_TRUE(unseal(SealKind::passphrase));
  finish();
  ASSERT_EQ(events("key.shred_completed").size(), 2U);
  EXPECT_EQ(events("key.shred_completed").at(1).at("scope"), "day");
  EXPECT_EQ(events("key.shred_completed").at(1).at("count"), "2");
  clock_.advance(2 * 60 * 1000);
  finish();
  EXPECT_EQ(events("key.shred_completed").size(), 2U);
}

}  // namespace
}  // namespace mailhold::keys
