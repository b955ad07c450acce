#include "features/recover/proof.h"

#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

class ProofTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill(30, 6);
    server.folders["Sent"].attributes = "\\Sent";
    server.folders["Sent"].add(letter("sent"), {"\\Seen", "\\Deleted"});
    server.folders["Trash"].attributes = "\\Trash";
    server.folders["Trash"].add(letter("thrown away"));
    server.folders["INBOX"].messages[7].date = "29-Feb-2024 23:59:59 +1345";
    server.folders["INBOX"].messages[9].date = "01-Jan-1990 00:00:00 +0000";
    ASSERT_TRUE(sync());
    mailbox.synced_at = now;
    ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
    record.mailbox = mailbox.id;
    record.tenant = tenant;
    before = at_server();
  }
  Status prove(std::size_t count = 20) {
    record.job = Id::random();
    record.started_at = clock.now();
    Proof proof({*book, *store,
                 [this](const Deadline&) -> Result<std::unique_ptr<mailboxes::ScratchTarget>> {
                   auto target = proof_session();
                   if (target == nullptr) return Error{ErrorKind::unavailable, "no session"};
                   return std::unique_ptr<mailboxes::ScratchTarget>(std::move(target));
                 },
                 clock});
    return proof.run(mailbox, count, record, soon());
  }
  ManualClock clock{1'800'000'000'000};
  ProofRecord record;
  Picture before;
};

TEST_F(ProofTest, everything_comes_back_and_nothing_is_left_at_the_server) {
  ASSERT_TRUE(prove());
  EXPECT_EQ(record.outcome, ProofOutcome::passed);
  EXPECT_EQ(record.items, 20U);
  EXPECT_EQ(record.proved_at, clock.now());
  EXPECT_TRUE(record.scratch.is_none());
  EXPECT_EQ(at_server(), before);
  EXPECT_EQ(book->proof(mailbox, soon()).value().outcome, ProofOutcome::passed);
  for (const std::string& purpose : server.purposes) EXPECT_NE(purpose, "restore.write");
}

TEST_F(ProofTest, newest_oldest_and_each_kind_of_folder_are_among_the_chosen) {
  for (int round = 0; round < 20; ++round) {
    const auto chosen = choose_for_proof(*book, mailbox, 6, soon());
    ASSERT_TRUE(chosen);
    std::set<std::string> contents;
    std::set<Id> ids;
    for (const ChosenItem& each : *chosen) {
      contents.insert(store->retrieve(tenant, each.item.message, soon()).value());
      ids.insert(each.item.id);
    }
    EXPECT_EQ(ids.size(), 6U) << "none twice";
    EXPECT_TRUE(contents.contains(letter("sent")));
    EXPECT_TRUE(contents.contains(letter("thrown away")));
    EXPECT_TRUE(contents.contains(letter("in 7"))) << "the newest";
    EXPECT_TRUE(std::any_of(chosen->begin(), chosen->end(),
                            [](const ChosenItem& each) { return each.item.head.received_at == 631'152'000'000; }));
  }
  EXPECT_EQ(choose_for_proof(*book, mailbox, 1000, soon())->size(), 38U);
}

TEST_F(ProofTest, what_the_server_changes_is_named) {
  server.faults.damages_appended = true;
  ASSERT_TRUE(prove(8));
  EXPECT_EQ(record.outcome, ProofOutcome::failed);
  EXPECT_EQ(record.differing, 8U);
  for (const ProofDifference& each : record.differences) EXPECT_EQ(each.what, "content");
  EXPECT_EQ(at_server(), before) << "and nothing is left";
  server.faults = {};
  server.faults.ignores_dates = true;
  ASSERT_TRUE(prove(8));
  EXPECT_EQ(record.differences.at(0).what, "received date");
  server.faults = {};
  ASSERT_TRUE(prove(8));
  EXPECT_EQ(record.outcome, ProofOutcome::passed);
  EXPECT_TRUE(record.differences.empty());
}

TEST_F(ProofTest, a_backup_that_does_not_open_fails) {
  ASSERT_TRUE(records->execute("DELETE FROM store_wraps", {}, soon()));
  ASSERT_TRUE(prove(8));
  EXPECT_EQ(record.outcome, ProofOutcome::failed);
  EXPECT_EQ(record.differing, 8U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(ProofTest, broken_off_anywhere_the_next_one_takes_away_what_was_left) {
  std::size_t broken = 0;
  for (std::int64_t bytes = 200; bytes < 6000; bytes += 290) {
    server.faults.drop_after_bytes = bytes;
    const Status status = prove(5);
    if (!status) ++broken;
  }
  EXPECT_GE(broken, 5U);
  EXPECT_EQ(record.differing, 0U);
  server.faults.drop_after_bytes = -1;
  open_all();
  record = book->proof(mailbox, soon()).value();
  ASSERT_TRUE(prove(5));
  EXPECT_EQ(record.outcome, ProofOutcome::passed);
  EXPECT_EQ(at_server(), before);
}

TEST_F(ProofTest, a_sync_leaves_out_what_a_proof_could_not_take_away) {
  const std::string name = mailboxes::scratch_name(Id::random());
  scratch = Id::parse(name.substr(name.size() - 32)).value();
  for (const std::string& folder : {name, "INBOX/" + name}) server.folders[folder].add(letter("of a proof"));
  const std::string others = mailboxes::scratch_name(Id::random());
  server.folders[others].add(letter("somebody calls a folder so"));
  ASSERT_TRUE(sync());
  std::set<std::string> folders;
  for (const FolderRow& each : book->folders_as_of(mailbox, now, soon()).value())
    folders.insert(mailboxes::path_text(each.folder.path));
  EXPECT_FALSE(folders.contains(name) || folders.contains("INBOX/" + name));
  EXPECT_TRUE(folders.contains(others) && folders.contains("INBOX"));
}

TEST_F(ProofTest, without_a_session_or_a_backup_there_is_no_proof) {
  server.is_away = true;
  EXPECT_EQ(prove().error().kind, ErrorKind::unavailable);
  EXPECT_EQ(record.outcome, ProofOutcome::none);
  server.is_away = false;
  mailbox.synced_at = 1;
  EXPECT_EQ(prove().error().kind, ErrorKind::not_found);
}

TEST_F(ProofTest, a_record_comes_back_as_it_was_written) {
  record.job = record.scratch = Id::random();
  record.is_over = false;
  record.outcome = ProofOutcome::failed;
  record.differences = {{Id::random(), "content, flags"}};
  record.trouble = "why";
  const std::string bytes = write_proof(record);
  ProofRecord again;
  ASSERT_TRUE(read_proof(bytes, again));
  EXPECT_EQ(write_proof(again), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_proof(bytes.substr(0, size), again)) << size;
}

}  // namespace
}  // namespace mailhold::recover
