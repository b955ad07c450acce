#include "platform/blobs/blob_store_contract.h"

namespace mailhold::blobs {

TEST_P(BlobStoreContract, gives_back_what_was_put) {
  const std::string bytes("a\0b\r\n", 5);
  ASSERT_TRUE(store->put("pack-1", bytes, soon));
  ASSERT_TRUE(store->put("pack-2", "", soon));
  EXPECT_EQ(*store->get("pack-1", soon), bytes);
  EXPECT_EQ(*store->get("pack-2", soon), "");
}

TEST_P(BlobStoreContract, never_overwrites) {
  ASSERT_TRUE(store->put("pack-1", "first", soon));
  EXPECT_EQ(store->put("pack-1", "second", soon).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(*store->get("pack-1", soon), "first");
}

TEST_P(BlobStoreContract, says_not_found) { EXPECT_EQ(store->get("absent", soon).error().kind, ErrorKind::not_found); }

TEST_P(BlobStoreContract, removes_what_is_there_and_what_is_not) {
  ASSERT_TRUE(store->put("pack-1", "x", soon));
  EXPECT_TRUE(store->remove("pack-1", soon));
  EXPECT_TRUE(store->remove("pack-1", soon));
  EXPECT_EQ(store->get("pack-1", soon).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(store->list("", soon)->empty());
}

TEST_P(BlobStoreContract, refuses_names_that_escape) {
  for (const char* name : {"", "../etc", "abcd/b", "ABCD", "tmp.part", "abc"}) {
    EXPECT_EQ(store->put(name, "x", soon).error().kind, ErrorKind::invalid_input) << name;
    EXPECT_EQ(store->get(name, soon).error().kind, ErrorKind::invalid_input) << name;
    EXPECT_EQ(store->remove(name, soon).error().kind, ErrorKind::invalid_input) << name;
  }
}

TEST_P(BlobStoreContract, lists_by_prefix_in_order) {
  for (const char* name : {"bbbb-2", "aaaa-1", "bbbb-1"}) ASSERT_TRUE(store->put(name, "x", soon));
  EXPECT_EQ(*store->list("bbbb-", soon), (std::vector<std::string>{"bbbb-1", "bbbb-2"}));
  EXPECT_EQ(store->list("", soon)->size(), 3U);
}

}  // namespace mailhold::blobs
