#include "core/backup/backup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "core/backup/key_copies.h"
#include "core/backup/manifest.h"
#include "platform/records/records.h"

namespace mailhold::backup {
namespace {

namespace fs = std::filesystem;

Deadline soon() { return Deadline::after(std::chrono::seconds(30)); }

class BackupTest : public testing::Test {
 protected:
  BackupTest() {
    std::string pattern = testing::TempDir() + "/backup-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (const char* name : {"keystore", "store/packs", "ledger/tile"}) fs::create_directories(folder_ / "data" / name);
    records_ = records::open("sqlite:" + (folder_ / "data/keystore/keystore.db").string(), soon()).value();
    EXPECT_TRUE(records_->execute("CREATE TABLE a (b bigint)", {}, soon()));
    EXPECT_TRUE(records_->execute("INSERT INTO a VALUES (42)", {}, soon()));
    write("data/store/packs/000001", std::string(3'000'000, 'p'));
    write("data/ledger/checkpoint", "origin\n1\n");
    write("data/ledger/tile/0", "hash");
    write("data/ledger/lock", "");
    fs::create_directories(folder_ / "data/later");  // a folder that this code does not know
    write("data/later/file", "kept too");
  }
  ~BackupTest() override {
    records_.reset();
    fs::remove_all(folder_);
  }
  void write(const fs::path& file, const std::string& bytes) { std::ofstream(folder_ / file, std::ios::binary) << bytes; }
  Result<Copied> copy(const std::string& name = "copy") {
    return copy_data(folder_ / "data", folder_ / name, now_, [](const Copied&) {}, soon());
  }
  Result<Copied> restore(const std::string& name = "copy", const std::string& keys_from = "") {
    RestoreFrom from{folder_ / name, {}};
    if (!keys_from.empty()) from.keys_from = folder_ / keys_from;
    return restore_data(
        from, folder_ / "restored", now_, [](const std::string&) -> Result<Owner> { return Owner{::getuid(), ::getgid()}; },
        [](const Copied&) {}, soon());
  }
  std::string prune(int days = 35) {
    const auto pruned = prune_keys(folder_ / "all", now_, days * milliseconds_in_day);
    if (!pruned) return "refused: " + pruned.error().detail;
    std::string names;
    for (const std::string& name : pruned->backups) names += name + " ";
    for (const std::string& problem : pruned->problems) names += "! " + problem + " ";
    return names;
  }
  std::string bytes_of(const fs::path& file) {
    std::ifstream stream(folder_ / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  fs::path folder_;
  Milliseconds now_ = 1'790'000'000'000;
  std::unique_ptr<records::Records> records_;
};

// Backups of 50 days with wraps in three places and objects that come and go.
class KeyCopies : public BackupTest {
 protected:
  KeyCopies() {
    fs::create_directories(folder_ / "all");
    fs::create_directories(folder_ / "data/backup/packs");
    for (const char* name : {"data/store/gateway.db", "data/backup/backup.db"}) {
      auto records = records::open("sqlite:" + (folder_ / name).string(), soon()).value();
      EXPECT_TRUE(records->execute("CREATE TABLE wraps (wrap bigint)", {}, soon()));
    }
    write("data/store/packs/000001", "an object");
    EXPECT_TRUE(copy("early"));
    fs::remove(folder_ / "data/store/packs/000001");
    write("data/backup/packs/000001", "another object");
    EXPECT_TRUE(copy("late"));
    for (int day = 0; day < 50; ++day) {
      now_ += milliseconds_in_day;
      const fs::path set = folder_ / "all" / std::to_string(day);
      fs::copy(folder_ / (day < 20 ? "early" : "late"), set, fs::copy_options::recursive);
      Manifest manifest = parse_manifest(bytes_of(set / "MANIFEST")).value();
      manifest.made_at = now_;
      write(set / "MANIFEST", write_manifest(manifest));
    }
  }
  bool has_keys(int day) {
    std::size_t found = 0;
    for (const char* file : {"keystore/keystore.db", "store/gateway.db", "backup/backup.db"})
      found += fs::exists(folder_ / "all" / std::to_string(day) / file) ? 1 : 0;
    EXPECT_TRUE(found == 0 || found == 3);
    return found == 3;
  }
};

TEST_F(BackupTest, what_was_copied_comes_back) {
  const auto copied = copy();
  ASSERT_TRUE(copied) << copied.error().detail;
  EXPECT_EQ(copied->files, 5U);
  const auto restored = restore();
  ASSERT_TRUE(restored) << restored.error().detail;
  EXPECT_EQ(restored->manifest_sha256, copied->manifest_sha256);
  EXPECT_EQ(fs::file_size(folder_ / "restored/store/packs/000001"), 3'000'000U);
  EXPECT_FALSE(fs::exists(folder_ / "restored/ledger/lock"));
  EXPECT_TRUE(fs::exists(folder_ / "restored/later/file"));
  const auto records = records::open("sqlite:" + (folder_ / "restored/keystore/keystore.db").string(), soon()).value();
  EXPECT_EQ(records->query("SELECT b FROM a", {}, soon()).value()[0][0].number(), 42);
}

TEST_F(BackupTest, a_damaged_backup_restores_nothing_and_names_the_file) {
  ASSERT_TRUE(copy());
  const auto refused = [&](const std::string& name) {
    const auto outcome = restore();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::corrupt);
    EXPECT_NE(outcome.error().detail.find(name), std::string::npos) << outcome.error().detail;
    EXPECT_FALSE(fs::exists(folder_ / "restored"));
  };
  write("copy/ledger/tile/0", "hasH");
  refused("ledger/tile/0 was changed");
  fs::remove(folder_ / "copy/ledger/tile/0");
  refused("ledger/tile/0 cannot be read");
  write("copy/ledger/tile/0", "hash");
  write("copy/keystore/evil.db", "x");
  refused("keystore/evil.db is not of it");
  fs::remove(folder_ / "copy/keystore/evil.db");
  ASSERT_TRUE(restore());
}

TEST_F(BackupTest, nothing_is_written_over) {
  ASSERT_TRUE(copy());
  EXPECT_EQ(copy().error().kind, ErrorKind::already_exists);
  fs::create_directories(folder_ / "restored");
  write("restored/something", "x");
  EXPECT_EQ(restore().error().kind, ErrorKind::already_exists);
  fs::remove(folder_ / "copy/MANIFEST");
  fs::remove(folder_ / "restored/something");
  EXPECT_EQ(restore().error().kind, ErrorKind::not_found);  // one that was interrupted
}

TEST_F(KeyCopies, T8_keys_older_than_35_days_leave_the_backups_and_the_rest_is_restored_beside_newer_ones) {
  prune();
  for (int day = 0; day < 50; ++day) EXPECT_EQ(has_keys(day), day >= 14) << day;  // the last is of now: 14 is 35 days old
  EXPECT_EQ(prune(), "");
  EXPECT_EQ(restore("all/13").error().kind, ErrorKind::denied);
  EXPECT_EQ(restore("all/13", "all/12").error().kind, ErrorKind::invalid_input);
  EXPECT_FALSE(fs::exists(folder_ / "restored"));
  const auto restored = restore("all/13", "all/49");
  ASSERT_TRUE(restored) << restored.error().detail;
  EXPECT_EQ(bytes_of("restored/keystore/keystore.db"), bytes_of("all/49/keystore/keystore.db"));
  EXPECT_EQ(bytes_of("restored/store/gateway.db"), bytes_of("all/49/store/gateway.db"));
  EXPECT_TRUE(fs::exists(folder_ / "restored/store/packs/000001"));  // lost since day 20
  EXPECT_TRUE(fs::exists(folder_ / "restored/backup/packs/000001"));
  fs::remove_all(folder_ / "restored");
  EXPECT_TRUE(restore("all/14"));
}

TEST_F(KeyCopies, T8_an_old_backup_that_nobody_pruned_is_not_restored_either) {
  const auto refused = restore("all/13");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::denied);
  EXPECT_NE(refused.error().detail.find("older than 35 days"), std::string::npos);
  EXPECT_NE(refused.error().detail.find("--keys-from"), std::string::npos);
  EXPECT_EQ(restore("all/12", "all/13").error().kind, ErrorKind::denied);
  EXPECT_FALSE(fs::exists(folder_ / "restored"));
  EXPECT_TRUE(restore("all/13", "all/14"));
}

TEST_F(KeyCopies, the_last_keys_are_never_deleted) {
  EXPECT_NE(prune(0), "");
  for (int day = 0; day < 50; ++day) EXPECT_EQ(has_keys(day), day == 49) << day;
  now_ += 36 * milliseconds_in_day;  // nobody made backups since
  EXPECT_TRUE(prune().starts_with("refused: the newest backup")) << prune();
  EXPECT_TRUE(has_keys(49));
  EXPECT_TRUE(prune_keys(folder_ / "all", now_, 36 * milliseconds_in_day).error().kind == ErrorKind::invalid_input);
  EXPECT_EQ(prune_keys(folder_ / "nowhere", now_).error().kind, ErrorKind::not_found);
}

TEST_F(KeyCopies, a_pruning_that_was_interrupted_is_brought_to_its_end) {
  write("all/3/PRUNED", "mailhold-pruned-1 1\n");  // as a kill leaves it: marked, and one of three deleted
  fs::remove(folder_ / "all/3/keystore/keystore.db");
  EXPECT_EQ(restore("all/3").error().kind, ErrorKind::denied);
  ASSERT_TRUE(restore("all/3", "all/40"));
  EXPECT_NE(prune().find("3 "), std::string::npos);
  EXPECT_FALSE(has_keys(3));
}

TEST_F(KeyCopies, what_is_no_backup_stays_and_is_named_if_it_may_be_an_old_copy) {
  fs::rename(folder_ / "all/1/MANIFEST", folder_ / "all/1/NONE");
  fs::create_directories(folder_ / "all/other");
  write("all/other/file", "x");
  write("all/2/MANIFEST", "mailhold-backup-1 x\n");
  now_ = system_clock().now() + 40 * milliseconds_in_day;  // the files' own times are of today
  EXPECT_TRUE(copy("all/fresh"));
  const std::string said = prune();
  EXPECT_NE(said.find("! 1 holds keys older than 35 days and is no complete backup"), std::string::npos) << said;
  EXPECT_NE(said.find("all/2: the manifest is damaged in line 1"), std::string::npos) << said;
  EXPECT_TRUE(has_keys(1));
  EXPECT_TRUE(has_keys(2));
  EXPECT_FALSE(has_keys(3));
  EXPECT_TRUE(fs::exists(folder_ / "all/other/file"));
}

TEST(Manifest, refuses_paths_that_lead_out_and_lines_that_are_none) {
  const std::string hash(64, 'a');
  const std::string head = "mailhold-backup-1 5\n";
  EXPECT_TRUE(parse_manifest(head + hash + " 3 384 a/b\n"));
  for (const std::string& line :
       {hash + " 3 384 ../a", hash + " 3 384 /a", hash + " 3 384 a//b", hash + " 3 384 a/./b", hash + " 3 384 ",
        hash + " x 384 a", hash + " 3 4096 a", hash.substr(1) + " 3 384 a", std::string("x")})
    EXPECT_FALSE(parse_manifest(head + line + "\n")) << line;
  EXPECT_FALSE(parse_manifest(""));
  EXPECT_FALSE(parse_manifest("mailhold-backup-2 5\n"));
}

}  // namespace
}  // namespace mailhold::backup
