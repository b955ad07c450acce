#include "core/keys/spent_receipts.h"

#include <gtest/gtest.h>

namespace mailhold::keys {
namespace {

constexpr Milliseconds start = 1'000'000;

TEST(SpentReceipts, takes_each_receipt_once) {
  SpentReceipts spent(start);
  EXPECT_TRUE(spent.spend("a", start, start + 30'000, start + 10));
  EXPECT_TRUE(spent.spend("b", start, start + 30'000, start + 10));
  EXPECT_EQ(spent.spend("a", start, start + 30'000, start + 20).error().kind, ErrorKind::denied);
  // Also at the last moment at which it would still be valid.
  EXPECT_EQ(spent.spend("a", start, start + 30'000, start + 30'000).error().kind, ErrorKind::denied);
}

TEST(SpentReceipts, refuses_what_is_expired_too_old_or_lives_too_long) {
  SpentReceipts spent(start);
  EXPECT_EQ(spent.spend("a", start, start + 30'000, start + 30'001).error().kind, ErrorKind::denied);
  EXPECT_EQ(spent.spend("b", start - 1, start + 30'000, start + 10).error().kind, ErrorKind::denied);
  EXPECT_EQ(spent.spend("c", start, start + 60'001, start + 10).error().kind, ErrorKind::denied);
  EXPECT_EQ(spent.spend("d", start + 50'000, start + 100'000, start + 10).error().kind, ErrorKind::denied);
}

// It looks through what it remembers once a second: what is expired by then stays refused in between.
TEST(SpentReceipts, remembers_until_the_last_moment_between_two_looks) {
  SpentReceipts spent(start);
  EXPECT_TRUE(spent.spend("a", start, start + 1'500, start));
  EXPECT_TRUE(spent.spend("b", start, start + 30'000, start + 1'000));
  EXPECT_EQ(spent.spend("a", start, start + 1'500, start + 1'500).error().kind, ErrorKind::denied);
  EXPECT_EQ(spent.spend("a", start, start + 1'500, start + 1'501).error().kind, ErrorKind::denied);
  EXPECT_TRUE(spent.spend("c", start, start + 30'000, start + 5'000));
  EXPECT_EQ(spent.spend("b", start, start + 30'000, start + 5'001).error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace mailhold::keys
