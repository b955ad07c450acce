// Servers that lie about UIDs, dates and counts: what they give is backed up, and what they do not give is said to be missing.
#include "fakes/recover_fixture.h"
#include "features/recover/failure_reasons.h"
#include "formats/imap/imap_response.h"

namespace mailhold::recover {
namespace {

// With one that has QRESYNC, one that has CONDSTORE alone, and one that has neither.
class LyingServerTest : public RecoverFixture, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    server.offer(std::string("IMAP4rev1 ENABLE UIDPLUS LITERAL+") + GetParam());
    RecoverFixture::SetUp();
    fill(12, 3);
    inbox = &server.folders["INBOX"];
  }
  std::string reason() const { return reason_of_progress(progress); }
  // Twice, for the second sync goes another way than the first.
  void expect_all_is_there() {
    for (int i = 0; i < 2; ++i) {
      const Status synced = sync();
      ASSERT_TRUE(synced) << synced.error().detail;
      EXPECT_EQ(backed_up(now), at_server()) << i;
      EXPECT_EQ(reason(), "") << i;
    }
  }
  void expect_missing(std::uint64_t count, std::size_t kept) {
    for (int i = 0; i < 2; ++i) {
      const Status synced = sync();
      ASSERT_TRUE(synced) << synced.error().detail;
      EXPECT_EQ(progress.unnamed, count) << i;
      EXPECT_NE(reason().find("INBOX has " + std::to_string(count) + " items that the server counts"), std::string::npos)
          << reason();
      EXPECT_EQ(backed_up(now)["INBOX"].size(), kept);
      EXPECT_EQ(backed_up(now)["Archive/2026"], at_server()["Archive/2026"]);
    }
  }
  std::vector<ItemRow> items_of(const std::string& name) {
    const auto folders = book->folders_as_of(mailbox, now, soon());
    for (const FolderRow& folder : *folders) {
      if (folder.folder.id == name) return book->items_as_of(folder, now, soon()).value();
    }
    return {};
  }

  FakeFolder* inbox = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Imap, LyingServerTest, testing::Values(" CONDSTORE QRESYNC", " CONDSTORE", ""));

TEST_P(LyingServerTest, messages_without_a_uid_are_missing_and_said_to_be) {
  server.faults.without_uid = {5};
  server.faults.with_uid_zero = {12};
  expect_missing(2, 10);
  server.faults = {};
  expect_all_is_there();
}

TEST_P(LyingServerTest, a_uid_that_is_given_twice_names_one_message) {
  inbox->messages[5].uid = inbox->messages[4].uid;
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unnamed, 1U);
  EXPECT_EQ(backed_up(now)["INBOX"].size(), 11U);
  inbox->messages[5].uid = 40;
  inbox->modseq += 5;
  expect_all_is_there();
}

TEST_P(LyingServerTest, messages_without_flags_are_missing_and_said_to_be) {
  server.faults.without_flags = {1, 2, 3};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unnamed, 6U) << "of both folders";
  EXPECT_NE(reason().find("INBOX has 3"), std::string::npos) << reason();
  EXPECT_NE(reason().find("Archive/2026 has 3"), std::string::npos) << reason();
  server.faults = {};
  expect_all_is_there();
}

TEST_P(LyingServerTest, a_message_with_no_date_or_a_broken_one_is_backed_up_without_it) {
  server.faults.without_date = {2};
  inbox->messages[6].date = "yesterday";
  inbox->messages[7].date = "31-Feb-2026 25:00:00 +9900";
  expect_all_is_there();
  const std::vector<ItemRow> items = items_of("INBOX");
  EXPECT_EQ(std::ranges::count(items, 0, [](const ItemRow& item) { return item.head.received_at; }), 3);
}

TEST_P(LyingServerTest, what_had_no_date_is_restored_without_one_and_is_exact) {
  inbox->messages[6].date = "yesterday";
  ASSERT_TRUE(sync());
  const std::string content = inbox->messages[6].content;
  inbox->remove(6);
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->count(Outcome::restored), 1U);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(inbox->messages.back().content, content);
}

TEST_P(LyingServerTest, falling_uids_hide_nothing) {
  std::uint32_t uid = 100;
  for (FakeMessage& message : inbox->messages) message.uid = uid--;
  inbox->uid_next = 101;
  expect_all_is_there();
  inbox->add(letter("later"));
  inbox->remove(2);
  expect_all_is_there();
}

TEST_P(LyingServerTest, uids_in_no_order_hide_nothing) {
  const std::uint32_t uids[] = {7, 3, 90, 1, 55, 4, 8, 70, 2, 11, 10, 6};
  for (std::size_t i = 0; i < inbox->messages.size(); ++i) inbox->messages[i].uid = uids[i];
  inbox->uid_next = 5;
  expect_all_is_there();
  inbox->add(letter("with a UID between the others"));
  expect_all_is_there();
}

TEST_P(LyingServerTest, a_wrong_uidnext_is_not_used) {
  for (const std::uint32_t told : {1U, 5U, 4'000'000'000U}) {
    server.faults.uid_next_told = told;
    inbox->add(letter("one more " + std::to_string(told)));
    expect_all_is_there();
  }
}

TEST_P(LyingServerTest, an_exists_that_is_too_small_hides_nothing) {
  for (const std::int64_t by : {-1, -5, -100}) {
    server.faults.exists_by = by;
    expect_all_is_there();
  }
  open_all();
}

TEST_P(LyingServerTest, what_comes_to_a_folder_whose_exists_is_too_small_is_seen) {
  server.faults.exists_by = -3;
  expect_all_is_there();
  for (int i = 0; i < 6; ++i) inbox->add(letter("more " + std::to_string(i)));
  inbox->remove(4);
  expect_all_is_there();
}

TEST_P(LyingServerTest, an_exists_that_is_too_large_is_said_to_be) {
  server.faults.exists_by = 3;
  for (int i = 0; i < 2; ++i) {
    const Status synced = sync();
    ASSERT_TRUE(synced) << synced.error().detail;
    EXPECT_EQ(backed_up(now), at_server());
    EXPECT_EQ(progress.unnamed, 6U);
    EXPECT_NE(reason().find("Archive/2026 has 3"), std::string::npos) << reason();
  }
  server.faults.exists_by = 0;
  expect_all_is_there();
}

TEST_P(LyingServerTest, a_highestmodseq_that_went_back_is_gone_on_from) {
  inbox->modseq = 500;
  expect_all_is_there();
  inbox->modseq = 20;
  for (FakeMessage& message : inbox->messages) message.modseq = std::min<std::uint64_t>(message.modseq, 20);
  inbox->mark(1, {"\\Flagged"});
  inbox->remove(4);
  inbox->add(letter("of the new time"));
  inbox->vanished.clear();  // forgotten with the rest
  expect_all_is_there();
  inbox->mark(2, {"\\Answered"});
  inbox->remove(0);
  expect_all_is_there();
}

TEST_P(LyingServerTest, uidvalidity_that_changes_in_mid_sync_ends_with_the_folder_as_it_is_then) {
  sync_settings.step_items = 3;
  server.faults.drop_after_bytes = 4500;  // some steps of INBOX were told by then
  EXPECT_FALSE(sync());
  server.finish_sessions();
  server.faults.drop_after_bytes = -1;
  inbox->uid_validity = 4711;
  for (FakeMessage& message : inbox->messages) message.uid += 1000;
  expect_all_is_there();
  EXPECT_EQ(count("store_names"), 15 + 4) << "with the attachments: nothing is stored again";
}

// UIDVALIDITY changes between two steps of one session: what SELECT tells counts, each time anew.
TEST_P(LyingServerTest, uidvalidity_that_changes_between_two_steps_begins_anew) {
  sync_settings.step_items = 3;
  server.faults.new_validity_after_selects = 5;
  ASSERT_TRUE(sync());
  EXPECT_EQ(server.faults.new_validity_after_selects, -1) << "it changed meanwhile";
  EXPECT_EQ(backed_up(now), at_server());
  expect_all_is_there();
}

TEST_P(LyingServerTest, what_is_moved_is_not_stored_again) {
  ASSERT_TRUE(sync());
  const std::int64_t objects = count("store_names");
  const Picture before = backed_up(now);
  const Milliseconds then = now;
  FakeFolder& archive = server.folders["Archive/2026"];
  for (const std::size_t index : {7U, 2U}) {
    archive.add(inbox->messages[index].content, inbox->messages[index].flags);
    inbox->remove(index);
  }
  expect_all_is_there();
  EXPECT_EQ(count("store_names"), objects);
  EXPECT_EQ(backed_up(then), before);
}

}  // namespace
}  // namespace mailhold::recover
