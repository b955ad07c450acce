#include "platform/records/sqlite/sqlite_records.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "platform/records/records_contract.h"

namespace mailhold::records {
namespace {

namespace fs = std::filesystem;

fs::path fresh_folder() {
  std::string pattern = testing::TempDir() + "/records-XXXXXX";
  return ::mkdtemp(pattern.data());
}

class SqliteSource final : public RecordsSource {
 public:
  std::string empty_database() override { return "sqlite:" + (fresh_folder() / "test.db").string(); }
};

std::unique_ptr<RecordsSource> sqlite_source() { return std::make_unique<SqliteSource>(); }
INSTANTIATE_TEST_SUITE_P(Sqlite, RecordsContract, testing::Values(sqlite_source));

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

std::string all_bytes(const fs::path& folder) {
  std::string bytes;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(file), {});
  }
  return bytes;
}

TEST(SqliteRecords, a_deleted_row_is_in_no_file_once_forgotten) {
  const fs::path folder = fresh_folder();
  auto records = *open("sqlite:" + (folder / "test.db").string(), soon());
  ASSERT_TRUE(records->migrate({"t", {"CREATE TABLE wraps (id bigint PRIMARY KEY, wrap bytea)"}}, soon()));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(
        records->execute("INSERT INTO wraps (id, wrap) VALUES ($1, $2)", {i, Value::bytes_of("needle-in-the-hay")}, soon()));
  }
  EXPECT_NE(all_bytes(folder).find("needle-in-the-hay"), std::string::npos);
  ASSERT_TRUE(records->execute("DELETE FROM wraps", {}, soon()));
  ASSERT_TRUE(records->forget_deleted(soon()));
  EXPECT_EQ(all_bytes(folder).find("needle-in-the-hay"), std::string::npos);
}

TEST(SqliteRecords, a_full_disk_is_unavailable_and_heals) {
  const fs::path folder = fresh_folder();
  auto records = *open("sqlite:" + (folder / "test.db").string(), soon());
  ASSERT_TRUE(records->migrate({"t", {"CREATE TABLE rows_of_all (id bigint PRIMARY KEY, bytes bytea)"}}, soon()));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 100'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto insert = [&records](int id) {
    return records->execute("INSERT INTO rows_of_all (id, bytes) VALUES ($1, $2)",
                            {id, Value::bytes_of(std::string(200'000, 'x'))}, soon());
  };
  EXPECT_EQ(insert(1).error().kind, ErrorKind::unavailable);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(insert(1));
}

TEST(SqliteRecords, another_process_in_a_write_is_unavailable) {
  const std::string address = "sqlite:" + (fresh_folder() / "test.db").string();
  auto records = *open(address, soon());
  auto other = *open(address, soon());
  ASSERT_TRUE(records->migrate({"t", {"CREATE TABLE t (id bigint)"}}, soon()));
  ASSERT_TRUE(records->transaction(
      [&other](Session&) -> Status {
        const auto outcome =
            other->execute("INSERT INTO t (id) VALUES ($1)", {1}, Deadline::after(std::chrono::milliseconds(50)));
        EXPECT_EQ(outcome.error().kind, ErrorKind::unavailable);
        return done();
      },
      soon()));
}

TEST(SqliteRecords, a_damaged_file_is_corrupt) {
  const fs::path folder = fresh_folder();
  std::ofstream(folder / "test.db") << std::string(8192, 'x');
  EXPECT_EQ(open("sqlite:" + (folder / "test.db").string(), soon()).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(open("sqlite:/nowhere/at/all.db", soon()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(open("mysql:x", soon()).error().kind, ErrorKind::invalid_input);
}

}  // namespace
}  // namespace mailhold::records
