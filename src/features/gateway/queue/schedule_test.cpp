#include "features/gateway/queue/schedule.h"

#include <gtest/gtest.h>

namespace mailhold::queue {
namespace {

constexpr Milliseconds minute = 60'000;
constexpr Milliseconds hour = 60 * minute;

QueueItem deferred_item() {
  QueueItem item;
  item.queued_at = 0;
  item.mail_from = "ann@a.example";
  item.recipients.resize(2);
  item.recipients[0] = {.address = "bob@b.example",
                        .state = RecipientState::deferred,
                        .status = "4.4.1",
                        .diagnostic = "451 4.4.1 no",
                        .remote = "mx.b.example[192.0.2.1]:25"};
  item.recipients[1] = {.address = "cid@b.example", .state = RecipientState::delivered};
  return item;
}

TEST(Schedule, retries_begin_at_five_minutes_and_grow_to_four_hours) {
  const ScheduleSettings settings;
  const Milliseconds expected[] = {5 * minute,  10 * minute,  20 * minute, 40 * minute,
                                   80 * minute, 160 * minute, 4 * hour,    4 * hour};
  for (std::uint32_t attempts = 1; attempts <= 8; ++attempts)
    EXPECT_EQ(retry_delay(attempts, settings), expected[attempts - 1]) << attempts;
  EXPECT_EQ(retry_delay(4'000'000'000U, settings), 4 * hour);
}

TEST(Schedule, a_whole_life_has_one_delay_notice_and_one_failure_notice) {
  ManualClock clock(0);
  const ScheduleSettings settings;
  QueueItem item = deferred_item();
  int delayed = 0;
  int failed = 0;
  int rounds = 0;
  while (!item.is_finished() && ++rounds < 1000) {
    ++item.attempts;
    const Due due = settle(item, clock.now(), settings);
    if (!due.delayed.empty()) {
      ++delayed;
      EXPECT_GE(clock.now(), 4 * hour);
      EXPECT_LE(clock.now(), 8 * hour);
      EXPECT_EQ(due.delayed[0].remote_mta, "mx.b.example");
    }
    if (!due.failed.empty()) {
      ++failed;
      EXPECT_EQ(due.failed.size(), 1U);
      EXPECT_EQ(due.failed[0].status, "4.4.7");
    }
    if (!item.is_finished()) {
      ASSERT_GT(item.next_attempt, clock.now());
      clock.set(item.next_attempt);
    }
  }
  EXPECT_EQ(delayed, 1);
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(clock.now(), settings.life);  // the last attempt is made at the very end
  EXPECT_EQ(item.recipients[0].state, RecipientState::expired);
  EXPECT_EQ(item.recipients[1].state, RecipientState::delivered);
}

TEST(Schedule, a_refusal_is_reported_once_while_others_wait) {
  QueueItem item = deferred_item();
  item.recipients[1] = {
      .address = "cid@b.example", .state = RecipientState::bounced, .status = "5.1.1", .diagnostic = "550 5.1.1 no"};
  EXPECT_EQ(settle(item, 1, {}).failed.size(), 1U);
  EXPECT_TRUE(settle(item, 2, {}).failed.empty());
  EXPECT_FALSE(item.is_finished());
}

TEST(QueueItem, comes_back_as_it_was_and_refuses_damage) {
  QueueItem item = deferred_item();
  item.attempts = 3;
  item.is_delay_told = true;
  item.accepted_at = 17;
  const std::string bytes = write_item(item);
  QueueItem back;
  ASSERT_TRUE(read_item(bytes, back));
  EXPECT_EQ(back.recipients, item.recipients);
  EXPECT_EQ(back.attempts, 3U);
  EXPECT_EQ(back.accepted_at, 17);
  EXPECT_TRUE(back.is_delay_told);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_item(std::string_view(bytes).substr(0, size), back));
  EXPECT_FALSE(read_item(bytes + "x", back));
}

}  // namespace
}  // namespace mailhold::queue
