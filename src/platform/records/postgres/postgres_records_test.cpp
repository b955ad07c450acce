#include "platform/records/postgres/postgres_records.h"

#include "platform/records/postgres/postgres_cluster.h"
#include "platform/records/records_contract.h"

namespace mailhold::records {
namespace {

PostgresCluster& cluster() {
  static PostgresCluster the_one;
  return the_one;
}

class PostgresSource final : public RecordsSource {
 public:
  std::string empty_database() override { return cluster().empty_database(); }
};

std::unique_ptr<RecordsSource> postgres_source() {
  if (!cluster().is_there()) return nullptr;
  return std::make_unique<PostgresSource>();
}
INSTANTIATE_TEST_SUITE_P(Postgres, RecordsContract, testing::Values(postgres_source));

class PostgresRecords : public RecordsContract {};
INSTANTIATE_TEST_SUITE_P(Postgres, PostgresRecords, testing::Values(postgres_source));

TEST_P(PostgresRecords, a_server_that_went_away_is_unavailable_and_comes_back) {
  cluster().stop_server(SIGQUIT);
  EXPECT_EQ(add(*records, "a", "one", 1).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(add(*records, "a", "one", 1).error().kind, ErrorKind::unavailable);
  cluster().start_server();
  EXPECT_TRUE(add(*records, "a", "one", 1));
}

TEST_P(PostgresRecords, an_error_does_not_tell_the_address_or_a_value) {
  ASSERT_TRUE(add(*records, "a", "alice@example.test", 1));
  EXPECT_EQ(add(*records, "b", "alice@example.test", 1).error().detail.find("alice"), std::string::npos);
  const auto refused = open("postgresql://someone:password@127.0.0.1:1/x", soon);
  EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(refused.error().detail.find("password"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::records
