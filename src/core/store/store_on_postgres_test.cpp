#include "core/store/store_fixture.h"
#include "corpora.h"
#include "platform/records/postgres/postgres_cluster.h"

namespace mailhold::store {
namespace {

using StoreOnPostgres = StoreFixture;

TEST_F(StoreOnPostgres, does_what_it_does_on_sqlite) {
  records::PostgresCluster cluster;
  SKIP_UNLESS(cluster.is_there(), "no database server to test with");
  address = cluster.empty_database();
  open();
  const std::string attachment = random_bytes(40'000);
  const Composed first = compose(std::string(1000, 'a'), attachment), second = compose(std::string(1000, 'b'), attachment);
  const Composed large = compose("", random_bytes(2'000'000));
  const Id first_id = Id::random(), second_id = Id::random(), large_id = Id::random();
  EXPECT_EQ(keep(first, first_id)->parts_new, 2U);
  EXPECT_EQ(keep(second, second_id, first_day + 1)->parts_shared, 1U);
  ASSERT_TRUE(keep(large, large_id));
  EXPECT_TRUE(keep(large, large_id));
  EXPECT_EQ(*store->retrieve(tenant, large_id, soon()), large.bytes);
  ASSERT_TRUE(store->rewrap(tenant, large_id, hold_epoch_first, soon()));

  EXPECT_EQ(*store->expire_day(tenant, first_day, soon()), 5U);
  EXPECT_EQ(store->retrieve(tenant, first_id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(*store->retrieve(tenant, second_id, soon()), second.bytes);
  open();  // so that the first segment is finished once the next one is used
  ASSERT_TRUE(keep(compose("", ""), Id::random(), first_day + 1));
  EXPECT_EQ(store->collect(soon())->names, 2U);

  ASSERT_TRUE(records->execute("UPDATE store_wraps SET segment = 9, position = 9", {}, soon()));
  ASSERT_TRUE(records->execute("DELETE FROM store_names", {}, soon()));
  ASSERT_TRUE(store->rebuild(soon()));
  EXPECT_EQ(*store->retrieve(tenant, second_id, soon()), second.bytes);
  EXPECT_EQ(*store->retrieve(tenant, large_id, soon()), large.bytes);
  ASSERT_TRUE(store->forget(tenant, large_id, soon()));
  EXPECT_EQ(store->retrieve(tenant, large_id, soon()).error().kind, ErrorKind::not_found);
  store.reset();
  records.reset();  // before the server goes
}

}  // namespace
}  // namespace mailhold::store
