// T6, the variant of the keystore alone: an older copy of the whole file is put back. Nothing in it is wrong; only the ledger can
// tell, because it has an event that the copy knows nothing of.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/keys/key_service.h"
#include "fakes/in_process_keys.h"
#include "formats/sealed/box.h"
#include "platform/crypto/hash.h"

namespace mailhold::keys {
namespace {

namespace fs = std::filesystem;

class OlderCopy : public ::testing::Test {
 protected:
  OlderCopy() : folder_(fs::temp_directory_path() / ("older-copy-" + Id::random().text())) {
    fs::create_directories(folder_ / "now");
    InProcessKeys fresh(folder_ / "now", {}, clock_);
    start();
    EXPECT_TRUE(service_->confirm({}, false));
    EXPECT_TRUE(service_->create_tenant(tenant_));
    put("old");
  }
  ~OlderCopy() override {
    service_.reset();
    fs::remove_all(folder_);
  }
  // As keyd after a start and an unsealing by somebody.
  void start() {
    service_.reset();
    service_ = std::make_unique<KeyService>(
        KeyService::Settings{folder_ / "now/keystore.db", InProcessKeys::region, {}, {}},
        [](const UseRequest& request, std::string_view, Milliseconds now) -> Result<VerifiedReceipt> {
          return VerifiedReceipt{crypto::sha256(request.receipt), now, now + 30'000};
        },
        clock_);
    ASSERT_TRUE(service_->unseal(SealKind::passphrase, InProcessKeys::passphrase));
  }
  void put(const std::string& password) {
    SecretRecord record{tenant_, connection_, "policy", {}};
    record.box = sealed::seal_box(service_->secret_public_key().value(),
                                  entry_context(InProcessKeys::region, tenant_, connection_, "policy"),
                                  encode_password("user", password).value().reveal())
                     .value();
    ASSERT_TRUE(service_->put_secret(record));
  }
  // As apid does; the newest event that the ledger has then.
  Id carry() {
    Id newest;
    for (const KeyEvent& event : service_->events().value()) {
      EXPECT_TRUE(service_->forget_event(event.id));
      newest = event.id;
    }
    return newest;
  }
  void copy(const char* from, const char* to) {
    service_.reset();
    fs::remove_all(folder_ / to);
    fs::copy(folder_ / from, folder_ / to, fs::copy_options::recursive);
    start();
  }
  Result<SecretText> use() {
    return service_->use({tenant_, connection_, "policy", "purpose", "smtp_plain", Id::random().text()});
  }

  ManualClock clock_{1'790'000'000'000};
  const fs::path folder_;
  const Id tenant_ = Id::random(), connection_ = Id::random();
  std::unique_ptr<KeyService> service_;
};

TEST_F(OlderCopy, T6_is_seen_by_the_ledgers_newest_event_and_uses_nothing) {
  const Id before = carry();
  copy("now", "old");
  ASSERT_TRUE(service_->confirm(before, false));
  put("new");
  const Id after = carry();
  copy("old", "now");
  EXPECT_EQ(use().error().kind, ErrorKind::unavailable) << "used before anybody compared it with the ledger";
  const Status confirmed = service_->confirm(after, false);
  ASSERT_FALSE(confirmed);
  EXPECT_EQ(confirmed.error().kind, ErrorKind::denied);
  EXPECT_NE(confirmed.error().detail.find(after.text()), std::string::npos);
  EXPECT_FALSE(service_->status().confirmed);
  EXPECT_EQ(use().error().kind, ErrorKind::unavailable);
}

TEST_F(OlderCopy, T6_that_makes_events_of_its_own_stays_an_older_copy) {
  copy("now", "old");
  ASSERT_TRUE(service_->confirm({}, false));
  put("new");
  const Id after = carry();
  copy("old", "now");
  for (int more = 0; more < 5; ++more) put("other");
  carry();
  EXPECT_FALSE(service_->confirm(after, false));
}

TEST_F(OlderCopy, is_used_when_somebody_decides_so_and_the_ledger_is_told) {
  copy("now", "old");
  ASSERT_TRUE(service_->confirm({}, false));
  put("new");
  const Id after = carry();
  copy("old", "now");
  ASSERT_TRUE(service_->confirm(after, true));
  EXPECT_EQ(use()->reveal(), std::string_view("\0user\0old", 9));
  EXPECT_EQ(service_->events()->back().name, "key.older_copy_accepted");
  carry();
  start();
  EXPECT_TRUE(service_->confirm(after, false)) << "decided once and for all";
}

TEST_F(OlderCopy, the_newest_is_known_also_after_a_crash_between_ledger_and_keystore) {
  const Id waiting = service_->events()->back().id;  // in the ledger, not yet forgotten here
  start();
  EXPECT_EQ(use().error().kind, ErrorKind::unavailable);
  ASSERT_TRUE(service_->confirm(waiting, false));
  EXPECT_TRUE(use());
}

TEST_F(OlderCopy, a_ledger_of_an_older_backup_is_no_reason_to_refuse) {
  const Id before = carry();
  put("new");
  carry();
  clock_.advance(35LL * 24 * 60 * 60 * 1000);
  put("newer");
  carry();
  start();
  EXPECT_TRUE(service_->confirm(before, false));
}

TEST_F(OlderCopy, a_file_from_before_this_memory_takes_the_ledgers_word_once) {
  service_.reset();
  fs::remove_all(folder_ / "now");
  fs::create_directories(folder_ / "now");
  fs::copy_file(fs::path(MAILHOLD_SOURCE_DIR) / "src/core/keys/testdata/format-1.db", folder_ / "now/keystore.db");
  start();
  EXPECT_TRUE(service_->confirm(Id::random(), false));
  start();
  EXPECT_FALSE(service_->confirm(Id::random(), false));
}

}  // namespace
}  // namespace mailhold::keys
