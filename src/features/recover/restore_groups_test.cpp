// Restores to servers that take several messages in one command, and to those that do not: what is refused, broken off or put
// off in the middle of a group is there exactly once in the end.
#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

class RestoreGroups : public RecoverFixture, public testing::WithParamInterface<const char*> {
 protected:
  static constexpr std::size_t count = 50;
  RestoreGroups() {
    server.offer(GetParam());
    report.request = {.mailbox = mailbox.id, .from = {"INBOX"}};
  }
  void SetUp() override {
    RecoverFixture::SetUp();
    fill(count, 0);
    ASSERT_TRUE(sync());
    report.request.as_of = now;
    before = at_server();
    server.folders["INBOX"].messages.clear();
  }
  // One more try.
  Status go_on() {
    const Status status = Restore(parts()).run(report, {}, soon());
    server.finish_sessions();
    report.is_over = static_cast<bool>(status);
    return status;
  }
  Restore::Parts parts() {
    Restore::Parts all = restore_parts();
    all.memory = memory;
    return all;
  }
  void expect_all_there() {
    EXPECT_TRUE(report.is_exact());
    EXPECT_EQ(report.count(Outcome::restored), count);
    EXPECT_EQ(at_server(), before);
  }

  RestoreReport report;
  std::shared_ptr<RestoreMemory> memory = std::make_shared<RestoreMemory>();
  Picture before;
};

TEST_P(RestoreGroups, come_back_exactly) {
  const Status restored = go_on();
  ASSERT_TRUE(restored) << restored.error().detail;
  expect_all_there();
}

TEST_P(RestoreGroups, an_item_that_is_refused_for_good_fails_alone) {
  server.faults.refused_text = "Subject: in 20\r\n";
  ASSERT_TRUE(go_on());
  EXPECT_EQ(report.count(Outcome::restored), count - 1);
  EXPECT_EQ(report.count(Outcome::failed), 1U);
  const auto failed = std::ranges::find(report.items, Outcome::failed, &RestoredItem::outcome);
  ASSERT_NE(failed, report.items.end());
  EXPECT_EQ(failed->detail, "[CANNOT] not this message");
  EXPECT_EQ(server.folders["INBOX"].messages.size(), count - 1);
}

TEST_P(RestoreGroups, broken_off_anywhere_each_is_there_once) {
  for (std::int64_t messages = 1; messages <= 16; messages += 3) {
    server.faults.drops_behind_messages = messages;
    if (go_on()) break;  // servers that get one at a time break off after the first one alone
    server.faults = {};
    server.faults.drops_after_append = true;
    if (go_on()) break;
    server.faults = {};
    const auto size = static_cast<std::int64_t>(server.folders["INBOX"].messages.size());
    EXPECT_LE(size, static_cast<std::int64_t>(count));
  }
  server.faults = {};
  const Status restored = go_on();
  ASSERT_TRUE(restored) << restored.error().detail;
  expect_all_there();
}

TEST_P(RestoreGroups, a_server_that_takes_few_at_a_time_gets_each_once) {
  for (const std::int64_t few : {3, 20, 3, 7, 1, 18, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}) {
    server.faults.appends_until_pause = few;
    const std::size_t taken = server.folders["INBOX"].messages.size();
    const Status status = go_on();
    server.faults = {};
    if (status) break;
    EXPECT_EQ(status.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(server.folders["INBOX"].messages.size(), taken + static_cast<std::size_t>(few));
  }
  ASSERT_TRUE(go_on());
  expect_all_there();
}

TEST_P(RestoreGroups, a_server_that_names_a_wrong_number_of_places_is_read_by_contents) {
  if (std::string_view(GetParam()).find("MULTIAPPEND") == std::string_view::npos) return;
  server.faults.wrong_uids = "1:7";
  ASSERT_TRUE(go_on());
  expect_all_there();
}

INSTANTIATE_TEST_SUITE_P(Together, RestoreGroups,
                         testing::Values("IMAP4rev1 ENABLE UIDPLUS LITERAL+ MULTIAPPEND CONDSTORE",
                                         "IMAP4rev1 LITERAL+ MULTIAPPEND"));
INSTANTIATE_TEST_SUITE_P(OneByOne, RestoreGroups,
                         testing::Values("IMAP4rev1 ENABLE UIDPLUS LITERAL+ CONDSTORE", "IMAP4rev1 LITERAL+", "IMAP4rev1"));

}  // namespace
}  // namespace mailhold::recover
