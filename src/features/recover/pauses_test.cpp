#include "features/recover/pauses.h"

#include <gtest/gtest.h>

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

TEST(Pauses, are_doubled_until_something_came_and_never_below_what_was_asked_for) {
  Pauses pauses(900s);
  const Id one = Id::random(), other = Id::random();
  for (const auto wait : {30s, 60s, 120s, 240s, 480s, 900s, 900s}) EXPECT_EQ(pauses.next(one, false, 0s), wait);
  EXPECT_EQ(pauses.next(other, false, 45s), 45s);
  EXPECT_EQ(pauses.next(one, true, 0s), 30s);
  EXPECT_EQ(pauses.next(one, false, 0s), 60s);
  EXPECT_EQ(pauses.next(one, false, 3600s), 3600s);
  pauses.forget(one);
  EXPECT_EQ(pauses.next(one, false, 0s), 30s);
  for (int i = 0; i < 100; ++i) pauses.next(one, false, 0s);
  EXPECT_EQ(Pauses(24h).next(one, true, 0s), 30s);
}

TEST(Pauses, nobody_waits_longer_than_an_hour_by_himself_nor_for_a_clock_that_was_set_back) {
  Pauses pauses(24h);
  const Id job = Id::random();
  std::chrono::seconds longest = 0s;
  for (int i = 0; i < 20; ++i) longest = std::max(longest, pauses.next(job, false, 0s));
  EXPECT_EQ(longest, pause_max);
  EXPECT_TRUE(is_to_come(1'000'001, 1'000'000));
  EXPECT_FALSE(is_to_come(1'000'000, 1'000'000));
  EXPECT_TRUE(is_to_come(4'600'000, 1'000'000));
  EXPECT_FALSE(is_to_come(4'600'001, 1'000'000));
}

TEST(WantedRest, is_the_longest_that_was_heard) {
  WantedRest rest;
  const auto hear = rest.hearer();
  EXPECT_EQ(rest.get(), 0s);
  for (const auto each : {5s, 70s, 2s}) hear(each);
  EXPECT_EQ(rest.get(), 70s);
}

}  // namespace
}  // namespace mailhold::recover
