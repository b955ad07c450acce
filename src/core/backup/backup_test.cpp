#include "core/backup/backup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

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
  }
  ~BackupTest() override {
    records_.reset();
    fs::remove_all(folder_);
  }
  void write(const fs::path& file, const std::string& bytes) { std::ofstream(folder_ / file, std::ios::binary) << bytes; }
  Result<Copied> copy(const std::string& name = "copy") {
    return copy_data(folder_ / "data", folder_ / name, 1'790'000'000'000, [](const Copied&) {}, soon());
  }
  Result<Copied> restore() {
    return restore_data(
        folder_ / "copy", folder_ / "restored", [](const std::string&) -> Result<Owner> { return Owner{::getuid(), ::getgid()}; },
        [](const Copied&) {}, soon());
  }
  fs::path folder_;
  std::unique_ptr<records::Records> records_;
};

TEST_F(BackupTest, what_was_copied_comes_back) {
  const auto copied = copy();
  ASSERT_TRUE(copied) << copied.error().detail;
  EXPECT_EQ(copied->files, 4U);
  const auto restored = restore();
  ASSERT_TRUE(restored) << restored.error().detail;
  EXPECT_EQ(restored->manifest_sha256, copied->manifest_sha256);
  EXPECT_EQ(fs::file_size(folder_ / "restored/store/packs/000001"), 3'000'000U);
  EXPECT_FALSE(fs::exists(folder_ / "restored/ledger/lock"));
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
