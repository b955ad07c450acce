// What every implementation of Records must do. A source makes empty databases and knows how to break them:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, RecordsContract, testing::Values(sqlite_source));
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "platform/records/records.h"

namespace mailhold::records {

class RecordsSource {
 public:
  virtual ~RecordsSource() = default;
  virtual std::string empty_database() = 0;  // its address
};

using MakeSource = std::unique_ptr<RecordsSource> (*)();  // nothing if its programs are not installed

class RecordsContract : public testing::TestWithParam<MakeSource> {
 protected:
  void SetUp() override {
    source = GetParam()();
    if (source == nullptr) {
      if (std::getenv("CI") != nullptr) FAIL() << "no database server to test with";
      std::printf("skipped: RecordsContract needs /usr/lib/postgresql/15/bin/initdb\n");
      GTEST_SKIP() << "no database server to test with";
    }
    address = source->empty_database();
    records = *open(address, soon);
    ASSERT_TRUE(
        records->migrate({"shop", {"CREATE TABLE items (id bytea PRIMARY KEY, name text NOT NULL UNIQUE, price bigint)"}}, soon));
  }
  void TearDown() override { records.reset(); }

  Result<std::uint64_t> add(Session& session, const std::string& id, const std::string& name, Value price) {
    return session.execute("INSERT INTO items (id, name, price) VALUES ($1, $2, $3)", {Value::bytes_of(id), name, price}, soon);
  }
  std::int64_t count() { return (*records->query("SELECT count(*) FROM items", {}, soon))[0][0].number(); }

  const Deadline soon = Deadline::after(std::chrono::seconds(60));
  std::unique_ptr<RecordsSource> source;
  std::string address;
  std::unique_ptr<Records> records;
};

}  // namespace mailhold::records
