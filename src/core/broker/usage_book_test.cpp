#include "core/broker/usage_book.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace mailhold::broker {
namespace {

std::filesystem::path new_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "mailhold-records-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}
Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }
constexpr Milliseconds hour = 3'600'000;

class UsageBookTest : public testing::Test {
 protected:
  UsageBookTest() { connection_.id = Id::random(); }
  ~UsageBookTest() override { std::filesystem::remove_all(folder_); }
  std::uint64_t granted_items(std::uint64_t wanted) { return book_->grant(connection_, {wanted, 0}, soon())->items; }
  std::uint64_t granted_bytes(std::uint64_t wanted) { return book_->grant(connection_, {0, wanted}, soon())->bytes; }

  const std::filesystem::path folder_ = new_folder();
  std::unique_ptr<records::Records> records_ = *records::open("sqlite:" + (folder_ / "records.db").string(), soon());
  ManualClock clock_{24 * hour * 20'000};
  std::unique_ptr<UsageBook> book_ = *UsageBook::open(*records_, clock_, soon());
  access::Connection connection_;
};

TEST_F(UsageBookTest, T20_grants_add_up_to_the_cap_and_no_further) {
  connection_.caps.items_hour = 1000;
  connection_.caps.bytes_day = 1'000'000;
  std::uint64_t items = 0, bytes = 0;
  for (std::uint64_t more = 1; more > 0 && items < 9000; items += more) more = granted_items(256);
  for (std::uint64_t more = 1; more > 0 && bytes < 9'000'000; bytes += more) more = granted_bytes(1 << 20);
  EXPECT_EQ(items, 1000U);
  EXPECT_EQ(bytes, 1'000'000U);
  EXPECT_EQ(book_->begin_session(connection_, soon()).error().kind, ErrorKind::limit_exceeded);
  clock_.advance(hour);
  EXPECT_GT(granted_items(10), 0U);
  EXPECT_EQ(granted_bytes(10), 0U);  // the day is not over
  clock_.advance(24 * hour);
  EXPECT_EQ(granted_bytes(10), 10U);
}

TEST_F(UsageBookTest, T20_a_restart_makes_no_cap_larger) {
  connection_.caps.sessions_day = 2;
  connection_.caps.items_day = 4;
  ASSERT_TRUE(book_->begin_session(connection_, soon()));
  EXPECT_GT(granted_items(3), 0U);
  book_ = *UsageBook::open(*records_, clock_, soon());
  EXPECT_EQ(book_->of_day(connection_.id, soon())->sessions, 1U);
  for (int i = 0; i < 9; ++i) (void)granted_items(4);
  EXPECT_EQ(book_->of_day(connection_.id, soon())->items, 4U);
}

TEST_F(UsageBookTest, what_was_not_used_counts_again_only_in_its_own_hour) {
  connection_.caps.items_hour = 100;
  const Milliseconds granted_at = clock_.now();
  const std::uint64_t granted = granted_items(20);
  ASSERT_TRUE(book_->give_back(connection_, {granted - 5, 0}, granted_at, soon()));
  EXPECT_EQ(book_->of_hour(connection_.id, soon())->items, 5U);
  clock_.advance(hour);
  const std::uint64_t next = granted_items(20);
  ASSERT_TRUE(book_->give_back(connection_, {5, 0}, granted_at, soon()));
  EXPECT_EQ(book_->of_hour(connection_.id, soon())->items, next);
}

TEST_F(UsageBookTest, T20_mailboxes_stop_at_their_number) {
  connection_.caps.mailboxes_day = 3;
  for (const char* name : {"a", "b", "a", "c"}) EXPECT_TRUE(*book_->reach_mailbox(connection_, name, soon())) << name;
  EXPECT_FALSE(*book_->reach_mailbox(connection_, "d", soon()));
  EXPECT_TRUE(*book_->reach_mailbox(connection_, "b", soon()));
  EXPECT_EQ(book_->of_day(connection_.id, soon())->mailboxes, 3U);
  clock_.advance(24 * hour);
  EXPECT_TRUE(*book_->reach_mailbox(connection_, "d", soon()));
}

TEST_F(UsageBookTest, T20_a_sweep_of_ten_thousand_mailboxes_stops_at_the_cap) {
  connection_.caps.mailboxes_day = 60;
  int reached = 0;
  for (int number = 0; number < 10'000; ++number) reached += *book_->reach_mailbox(connection_, std::to_string(number), soon());
  EXPECT_EQ(reached, 60);
  EXPECT_EQ(book_->of_day(connection_.id, soon())->mailboxes, 60U);
  book_ = *UsageBook::open(*records_, clock_, soon());
  EXPECT_FALSE(*book_->reach_mailbox(connection_, "one more", soon())) << "a restart made the cap larger";
}

TEST_F(UsageBookTest, T20_a_terabyte_asked_for_in_any_pieces_ends_at_the_cap) {
  connection_.caps.bytes_hour = 300'000'000;
  constexpr std::uint64_t terabyte = 1'000'000'000'000;
  std::uint64_t bytes = 0;
  for (std::uint64_t wanted = terabyte; wanted > 1; wanted /= 3) {
    bytes += granted_bytes(wanted);
    ASSERT_LE(bytes, connection_.caps.bytes_hour);
  }
  for (std::uint64_t more = 1; more > 0; bytes += more) more = granted_bytes(terabyte);
  EXPECT_EQ(bytes, connection_.caps.bytes_hour);
}

}  // namespace
}  // namespace mailhold::broker
