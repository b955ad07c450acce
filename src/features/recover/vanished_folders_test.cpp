// Folders that a listing leaves out, and folders that are refused: what is not seen any more was not deleted by that.
#include "fakes/recover_fixture.h"
#include "features/recover/failure_reasons.h"

namespace mailhold::recover {
namespace {

class VanishedFoldersTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill(12, 5);
    server.folders["Work"].add(letter("plan"));
    server.folders["Work/Plans"];
  }
  void sync_and_remember() {
    ASSERT_TRUE(sync());
    EXPECT_EQ(reason(), "");
    before = backed_up(now);
    then = now;
  }
  std::string reason() const { return reason_of_progress(progress); }
  bool says(const std::string& words) const { return reason().find(words) != std::string::npos; }

  Picture before;
  Milliseconds then = 0;
};

TEST_F(VanishedFoldersTest, a_folder_that_the_server_does_not_know_any_more_is_over) {
  sync_and_remember();
  server.folders.erase("Archive/2026");
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(then), before);
}

TEST_F(VanishedFoldersTest, what_dovecot_says_without_a_code_is_understood) {
  sync_and_remember();
  server.faults.unlisted = {"Archive/2026"};
  server.faults.closed_folders["Archive/2026"] = "NO Mailbox doesn't exist: Archive/2026 (0.001 + 0.000 secs).";
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_FALSE(backed_up(now).contains("Archive/2026"));
  EXPECT_EQ(backed_up(then), before);
}

TEST_F(VanishedFoldersTest, a_folder_that_is_listed_no_more_and_refused_stays_as_it_was) {
  sync_and_remember();
  server.faults.unlisted = {"Archive/2026"};
  server.faults.closed_folders["Archive/2026"] = "NO [NOPERM] Permission denied";
  server.folders["Archive/2026"].add(letter("not seen"));
  server.folders["INBOX"].add(letter("seen"));
  ASSERT_TRUE(sync());
  EXPECT_TRUE(says("Archive/2026 is listed no more and refused (\"[NOPERM] Permission denied\")")) << reason();
  EXPECT_TRUE(says("--accept-vanished"));
  EXPECT_EQ(backed_up(now)["Archive/2026"], before["Archive/2026"]);
  EXPECT_EQ(backed_up(now)["INBOX"], at_server()["INBOX"]) << "the others are read";
  server.faults = {};
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(backed_up(now), at_server());
}

// Whoever deletes a folder with others below it leaves a name without items in the list.
TEST_F(VanishedFoldersTest, a_folder_that_holds_no_items_any_more_is_over_when_the_server_says_so_and_comes_back) {
  sync_and_remember();
  FakeFolder& work = server.folders["Work"];
  const auto messages = std::exchange(work.messages, {});
  work.attributes = "\\Noselect";
  server.faults.closed_folders["Work"] = "NO [NOPERM] Permission denied";
  ASSERT_TRUE(sync());
  EXPECT_TRUE(says("Work is listed no more and refused")) << reason();
  EXPECT_EQ(backed_up(now)["Work"], before["Work"]);
  server.faults.closed_folders["Work"] = "NO [NONEXISTENT] no such mailbox";
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(sync());
    EXPECT_EQ(reason(), "");
    EXPECT_TRUE(backed_up(now)["Work"].empty());
    EXPECT_EQ(backed_up(then), before);
  }
  work.attributes = "";
  server.faults = {};
  RestoreRequest request;
  request.as_of = then;
  request.from = {"Work"};
  const auto report = restore(request);
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server()["Work"], before["Work"]);
}

TEST_F(VanishedFoldersTest, a_no_that_gives_no_reason_is_no_deletion) {
  sync_and_remember();
  server.faults.unlisted = {"Work"};
  server.faults.closed_folders["Work"] = "NO not now, not here";
  ASSERT_TRUE(sync());
  EXPECT_TRUE(says("Work is listed no more and refused (\"not now, not here\")")) << reason();
  EXPECT_EQ(backed_up(now), before);
}

TEST_F(VanishedFoldersTest, a_folder_that_is_only_left_out_of_the_list_is_read) {
  sync_and_remember();
  server.faults.unlisted = {"Archive/2026"};
  server.folders["Archive/2026"].add(letter("seen"));
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(VanishedFoldersTest, an_empty_list_deletes_nothing_and_moves_no_moment) {
  sync_and_remember();
  server.folders.clear();
  const Status synced = sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().kind, ErrorKind::denied);
  const std::string said = reason_of_sync(synced.error());
  EXPECT_NE(said.find("3 of 3 folders with 18 of 18 items are there no more"), std::string::npos) << said;
  EXPECT_EQ(backed_up(now), before);
}

TEST_F(VanishedFoldersTest, most_of_the_items_gone_at_once_is_not_believed_until_an_operator_says_so) {
  sync_and_remember();
  server.folders.erase("INBOX");
  server.folders["Work"].add(letter("new work"));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(sync());
    EXPECT_TRUE(says("1 of 3 folders with 12 of 19 items are there no more")) << reason();
    EXPECT_EQ(backed_up(now)["INBOX"], before["INBOX"]);
    EXPECT_EQ(backed_up(now)["Work"], at_server()["Work"]);
  }
  const Milliseconds last = now;
  sync_settings.accepts_vanished = true;
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(last)["INBOX"], before["INBOX"]) << "it ended when it was accepted";
  EXPECT_EQ(backed_up(then), before);
}

TEST_F(VanishedFoldersTest, a_folder_that_has_another_name_now_is_no_loss) {
  sync_and_remember();
  const std::int64_t objects = count("store_names");
  server.folders["Everything before 2026"] = std::move(server.folders["INBOX"]);
  server.folders.erase("INBOX");
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(then), before);
  EXPECT_EQ(count("store_names"), objects);
}

TEST_F(VanishedFoldersTest, most_of_the_folders_gone_at_once_are_not_believed) {
  sync_and_remember();
  server.folders.erase("Archive/2026");
  server.folders.erase("Work");
  ASSERT_TRUE(sync());
  EXPECT_TRUE(says("2 of 3 folders with 6 of 18 items")) << reason();
  EXPECT_EQ(backed_up(now)["Work"], before["Work"]);
}

TEST_F(VanishedFoldersTest, what_is_accepted_is_what_is_not_there_and_nothing_that_is) {
  sync_and_remember();
  server.faults.unlisted = {"Archive/2026", "Work"};
  server.faults.closed_folders["Work"] = "NO [NOPERM] Permission denied";
  sync_settings.accepts_vanished = true;
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  const Picture picture = backed_up(now);
  EXPECT_EQ(picture.at("Archive/2026"), before["Archive/2026"]) << "it can be read";
  EXPECT_FALSE(picture.contains("Work"));
}

TEST_F(VanishedFoldersTest, one_folder_that_is_refused_keeps_no_other_from_being_read) {
  sync_and_remember();
  for (const char* answer : {"NO [NOPERM] Permission denied", "NO [NONEXISTENT] Mailbox doesn't exist", "BAD no", "NO no"}) {
    server.faults.closed_folders["Archive/2026"] = answer;
    for (const char* name : {"Archive/2026", "INBOX", "Work"}) server.folders[name].add(letter(answer));
    ASSERT_TRUE(sync()) << answer;
    EXPECT_TRUE(says("the folder Archive/2026 is ")) << reason();
    EXPECT_TRUE(says("as it was last seen")) << reason();
    EXPECT_EQ(progress.troubles.size(), 1U);
    EXPECT_EQ(backed_up(now)["Archive/2026"], before["Archive/2026"]) << answer;
    for (const char* name : {"INBOX", "Work"}) EXPECT_EQ(backed_up(now)[name], at_server()[name]) << answer;
  }
  server.faults = {};
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(then), before);
}

TEST_F(VanishedFoldersTest, a_first_sync_with_a_folder_that_is_refused_takes_the_others) {
  server.faults.closed_folders["Archive/2026"] = "NO [NOPERM] Permission denied";
  ASSERT_TRUE(sync());
  EXPECT_TRUE(says("Archive/2026 is refused (\"[NOPERM] Permission denied\")")) << reason();
  EXPECT_EQ(backed_up(now)["INBOX"], at_server()["INBOX"]);
  EXPECT_TRUE(backed_up(now)["Archive/2026"].empty());
}

TEST_F(VanishedFoldersTest, a_sync_that_may_read_no_folder_is_none) {
  sync_and_remember();
  for (const auto& [name, folder] : server.folders) server.faults.closed_folders[name] = "NO [NOPERM] Permission denied";
  const Status synced = sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().kind, ErrorKind::denied);
  EXPECT_EQ(backed_up(now), before);
}

TEST_F(VanishedFoldersTest, a_server_that_says_later_by_name_is_asked_later) {
  sync_and_remember();
  server.faults.unlisted = {"Work"};
  server.faults.closed_folders["Work"] = "NO [UNAVAILABLE] the shard is away";
  const Status synced = sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(backed_up(now), before);
}

TEST_F(VanishedFoldersTest, many_refused_folders_are_counted_and_a_few_are_named) {
  for (int i = 0; i < 12; ++i) {
    const std::string name = "Closed " + std::to_string(i);
    server.folders[name];
    server.faults.closed_folders[name] = "NO no";
  }
  ASSERT_TRUE(sync());
  EXPECT_TRUE(says("and so for 7 others")) << reason();
}

TEST_F(VanishedFoldersTest, a_server_that_learns_utf8_has_the_same_folders) {
  server.folders["Entw&APw-rfe &- mehr"].add(letter("draft"));
  ASSERT_TRUE(sync());
  EXPECT_TRUE(backed_up(now).contains("Entwürfe & mehr"));
  server.offer("IMAP4rev1 ENABLE CONDSTORE UTF8=ACCEPT");
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(progress.items_new, 0U);
  EXPECT_TRUE(
      std::ranges::any_of(server.commands, [](const auto& each) { return each.starts_with("EXAMINE \"Entwürfe & mehr\""); }));
  server.offer("IMAP4rev1");
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(progress.items_new, 0U);
}

}  // namespace
}  // namespace mailhold::recover
