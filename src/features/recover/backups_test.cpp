#include "features/recover/backups.h"

#include <boost/json.hpp>

#include "base/log.h"
#include "fakes/recover_fixture.h"
#include "features/recover/backup_verbs.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

// The fake server, behind a broker that can refuse.
class Sessions final : public mailboxes::SessionSource {
 public:
  explicit Sessions(FakeImapServer& server) : server_(server) {}
  Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
    const std::lock_guard lock(mutex);
    if (refusal) return *refusal;
    return server_.open(tenant, connection, purpose, deadline);
  }
  std::mutex mutex;
  std::optional<Error> refusal;

 private:
  FakeImapServer& server_;
};

// One that is moved while others look at it.
class NightClock final : public Clock {
 public:
  explicit NightClock(Milliseconds start) : now_(start) {}
  Milliseconds now() const override { return now_; }
  void advance(Milliseconds by) { now_ += by; }

 private:
  std::atomic<Milliseconds> now_;
};

class BackupsTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill();
    start();
  }
  void TearDown() override { backups.reset(); }
  void start() {
    backups = std::make_unique<Backups>(BackupSettings{3600s, 1}, Backups::Parts{*book, *store, keys, sessions, system_clock()});
    backups->start();
  }
  void refuse(std::optional<Error> error) {
    const std::lock_guard lock(sessions.mutex);
    sessions.refusal = std::move(error);
  }
  Mailbox shown() { return book->mailbox(mailbox.id, soon()).value(); }
  // Whether it comes true; no test waits for it to stay false.
  static bool comes_true(const std::function<bool()>& is_true) {
    for (int i = 0; i < 3000 && !is_true(); ++i) std::this_thread::sleep_for(10ms);
    return is_true();
  }
  bool becomes(MailboxState state) {
    return comes_true([&] { return shown().state == state; });
  }
  boost::json::object ask(boost::json::object request) {
    const auto answer = BackupVerbs(*backups, *book, {}).answer(boost::json::serialize(request), soon());
    if (!answer) return {{"error", std::string(mailhold::name_of(answer.error().kind))}, {"said", answer.error().detail}};
    return boost::json::parse(*answer).as_object();
  }

  Sessions sessions{server};
  std::unique_ptr<Backups> backups;
};

TEST_F(BackupsTest, a_mailbox_becomes_current_and_what_stops_it_is_named) {
  ASSERT_TRUE(becomes(MailboxState::current));
  EXPECT_EQ(shown().items, 17U);
  refuse(Error{ErrorKind::denied, "the connection is suspended"});
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  ASSERT_TRUE(becomes(MailboxState::needs_attention));
  EXPECT_NE(shown().reason.find("suspended"), std::string::npos) << shown().reason;
  refuse(std::nullopt);
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  ASSERT_TRUE(becomes(MailboxState::current));
  EXPECT_TRUE(shown().reason.empty());
}

TEST_F(BackupsTest, what_passes_by_itself_keeps_the_state_and_is_named) {
  ASSERT_TRUE(becomes(MailboxState::current));
  refuse(Error{ErrorKind::unavailable, "the server is away"});
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  ASSERT_TRUE(comes_true([&] { return !shown().reason.empty(); }));
  EXPECT_EQ(shown().state, MailboxState::current);
}

TEST_F(BackupsTest, a_server_that_wants_a_pause_gets_it_and_its_words_are_told) {
  ASSERT_TRUE(becomes(MailboxState::current));
  {
    const std::lock_guard lock(server.mutex);
    server.folders["INBOX"].add(letter("one more"));
    server.faults.contents_until_pause = 0;
  }
  for (const char* wait : {"in 30 s", "in 60 s", "in 120 s"}) {
    ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
    ASSERT_TRUE(comes_true([&] { return shown().reason.find(wait) != std::string::npos; })) << shown().reason;
  }
  EXPECT_NE(shown().reason.find("[THROTTLED] Request is throttled"), std::string::npos) << shown().reason;
  EXPECT_EQ(shown().state, MailboxState::current) << "it passes by itself";
  {
    const std::lock_guard lock(server.mutex);
    server.faults.contents_until_pause = -1;
  }
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  ASSERT_TRUE(comes_true([&] { return shown().reason.empty(); }));
  EXPECT_EQ(shown().items, 18U);
}

TEST_F(BackupsTest, a_paused_mailbox_is_left_alone_until_it_is_resumed) {
  ASSERT_TRUE(becomes(MailboxState::current));
  const Milliseconds before = shown().tried_at;
  EXPECT_TRUE(ask({{"verb", "mailbox.pause"}, {"mailbox", "ann@example.test"}}).contains("done"));
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  EXPECT_EQ(ask({{"verb", "mailbox.list"}}).at("mailboxes").as_array()[0].as_object().at("state"), "paused");
  EXPECT_EQ(shown().tried_at, before);
  EXPECT_TRUE(ask({{"verb", "mailbox.resume"}, {"mailbox", "ann@example.test"}}).contains("done"));
  EXPECT_TRUE(comes_true([&] { return shown().tried_at > before; }));
}

TEST_F(BackupsTest, a_failed_proof_makes_the_mailbox_need_attention_until_one_passes) {
  ASSERT_TRUE(becomes(MailboxState::current));
  const auto proved = [&] {
    const auto begun = ask({{"verb", "backup.prove"}, {"mailbox", "ann@example.test"}, {"items", 6}});
    EXPECT_TRUE(begun.contains("proof")) << boost::json::serialize(begun);
    EXPECT_TRUE(
        comes_true([&] { return !ask({{"verb", "backup.proof"}, {"mailbox", mailbox.id.text()}}).at("running").as_bool(); }));
    return ask({{"verb", "mailbox.list"}}).at("mailboxes").as_array()[0].as_object();
  };
  {
    const std::lock_guard lock(server.mutex);
    server.faults.damages_appended = true;
  }
  auto mailbox_then = proved();
  EXPECT_EQ(mailbox_then.at("state"), "needs attention");
  EXPECT_NE(std::string(mailbox_then.at("reason").as_string()).find("proof failed"), std::string::npos);
  EXPECT_EQ(mailbox_then.at("proof").as_object().at("not_as_they_were").as_array().size(), 6U);
  {
    const std::lock_guard lock(server.mutex);
    server.faults.damages_appended = false;
  }
  mailbox_then = proved();
  EXPECT_EQ(mailbox_then.at("state"), "current");
  EXPECT_FALSE(mailbox_then.contains("reason"));
  EXPECT_EQ(mailbox_then.at("proof").as_object().at("outcome"), "passed");
  // Without a session there is no proof, and what was proved before stays.
  refuse(Error{ErrorKind::denied, "the connection is not for this purpose"});
  mailbox_then = proved();
  EXPECT_EQ(mailbox_then.at("proof").as_object().at("outcome"), "passed");
  EXPECT_NE(std::string(mailbox_then.at("proof").as_object().at("trouble").as_string()).find("backup.prove"), std::string::npos);
  EXPECT_EQ(ask({{"verb", "backup.prove"}, {"mailbox", "ann@example.test"}, {"items", 0}}).at("error"), "invalid_input");
}

TEST_F(BackupsTest, a_proof_of_the_last_process_is_cleaned_up_and_the_nightly_one_comes_at_its_hour) {
  ASSERT_TRUE(becomes(MailboxState::current));
  backups.reset();
  ProofRecord left;
  left.mailbox = mailbox.id;
  left.tenant = tenant;
  left.job = left.scratch = Id::random();
  {
    const std::lock_guard lock(server.mutex);
    server.folders[mailboxes::scratch_name(left.scratch)].add("a letter");
  }
  ASSERT_TRUE(book->put_proof(left, soon()));
  constexpr Milliseconds day_length = 86'400'000;
  NightClock clock(system_clock().now() / day_length * day_length + 3 * day_length);
  std::vector<ProofRecord> told;
  std::mutex telling;
  const auto tell = [&](const ProofRecord& proof, const Deadline&) {
    const std::lock_guard lock(telling);
    told.push_back(proof);
    return done();
  };
  BackupSettings with_proofs{3600s, 1};
  with_proofs.proof_hour = 4;
  with_proofs.proof_items = 5;
  backups = std::make_unique<Backups>(with_proofs, Backups::Parts{*book, *store, keys, sessions, clock, nullptr, tell});
  backups->start();
  ASSERT_TRUE(comes_true([&] { return book->proof(mailbox, soon()).value().scratch.is_none(); }));
  {
    const std::lock_guard lock(server.mutex);
    EXPECT_EQ(server.folders.size(), 2U) << "its folder is gone";
    const std::lock_guard guard(telling);
    EXPECT_TRUE(told.empty());
  }
  clock.advance(5 * 3'600'000);  // within the hour each mailbox has its own minute
  ASSERT_TRUE(comes_true([&] { return book->proof(mailbox, soon()).value().outcome == ProofOutcome::passed; }));
  ASSERT_TRUE(comes_true([&] {
    const std::lock_guard lock(telling);
    return told.size() == 1;
  }));
  EXPECT_EQ(told[0].items, 5U);
  backups.reset();
}

TEST_F(BackupsTest, questions_get_clear_answers) {
  ASSERT_TRUE(becomes(MailboxState::current));
  EXPECT_EQ(ask({{"verb", "backup.run"}, {"mailbox", "nobody"}}).at("error"), "not_found");
  EXPECT_EQ(ask({{"verb", "backup.run"}}).at("error"), "not_found");
  EXPECT_EQ(ask({{"verb", "backup.run"}, {"mailbox", Id::random().text()}}).at("error"), "not_found");
  EXPECT_EQ(ask({{"verb", "backup.burn"}, {"mailbox", "ann@example.test"}}).at("error"), "not_found");
  EXPECT_EQ(ask({{"verb", "restore.show"}, {"restore", "xyz"}}).at("error"), "invalid_input");
  EXPECT_EQ(ask({{"verb", "mailbox.add"}, {"tenant", tenant.text()}, {"connection", tenant.text()}}).at("error"),
            "invalid_input");
  EXPECT_EQ(BackupVerbs(*backups, *book, {}).answer("[]", soon()).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(ask({{"verb", "backup.folders"}, {"mailbox", "ann@example.test"}}).at("folders").as_array().size(), 2U);
  EXPECT_EQ(ask({{"verb", "backup.items"}, {"mailbox", "ann@example.test"}, {"folder", "INBOX"}}).at("items").as_array().size(),
            12U);
  EXPECT_EQ(ask({{"verb", "backup.items"}, {"mailbox", "ann@example.test"}, {"folder", "No"}}).at("error"), "not_found");

  // A name that two mailboxes have names neither.
  Mailbox twin = mailbox;
  twin.id = Id::random();
  twin.paused = true;
  ASSERT_TRUE(book->put_mailbox(twin, soon()));
  EXPECT_EQ(ask({{"verb", "backup.run"}, {"mailbox", "ann@example.test"}}).at("error"), "invalid_input");
}

}  // namespace
}  // namespace mailhold::recover
