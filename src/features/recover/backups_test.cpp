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
    std::unique_lock lock(mutex);
    if (until_all_are_there > 0) {
      if (--until_all_are_there == 0) are_there.notify_all();
      are_there.wait(lock, [this] { return until_all_are_there == 0; });
    }
    if (refusal) return *refusal;
    return server_.open(tenant, connection, purpose, deadline);
  }
  std::mutex mutex;
  std::condition_variable are_there;
  int until_all_are_there = 0;  // so many are kept waiting for each other
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
  const struct {
    Error error;
    const char *why, *what_to_do;
  } stops[] = {{{ErrorKind::denied, "brokerd: the connection is suspended"}, "suspended", "mailhold connection check"},
               {{ErrorKind::denied, "brokerd: authd: server refused the credential"}, "refused", "mailhold secret set"},
               {{ErrorKind::not_found, "brokerd: authd: keyd: the connection has no secret"}, "no secret", "mailhold secret set"},
               {{ErrorKind::limit_exceeded, "brokerd: the connection has reached its cap items_hour"}, "items_hour", "for now"}};
  for (const auto& [error, why, what_to_do] : stops) {
    refuse(error);
    ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
    ASSERT_TRUE(becomes(MailboxState::needs_attention));
    EXPECT_NE(shown().reason.find(why), std::string::npos) << shown().reason;
    EXPECT_NE(shown().reason.find(what_to_do), std::string::npos) << shown().reason;
    refuse(std::nullopt);
    ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
    ASSERT_TRUE(becomes(MailboxState::current));
    EXPECT_TRUE(shown().reason.empty());
  }
}

TEST_F(BackupsTest, what_vanished_is_doubted_until_an_operator_accepts_it) {
  ASSERT_TRUE(becomes(MailboxState::current));
  const Milliseconds first = shown().synced_at;
  {
    const std::lock_guard lock(server.mutex);
    server.folders["Archive/2026"].add(letter("meanwhile"));
    server.folders.erase("INBOX");
  }
  EXPECT_TRUE(ask({{"verb", "backup.run"}, {"mailbox", "ann@example.test"}}).contains("done"));
  ASSERT_TRUE(becomes(MailboxState::needs_attention));
  EXPECT_NE(shown().reason.find("1 of 2 folders with 12 of 18 items are there no more"), std::string::npos) << shown().reason;
  EXPECT_EQ(shown().items, 18U) << "with what is kept as it was last seen";
  EXPECT_GT(shown().synced_at, first) << "what could be read was";
  EXPECT_TRUE(ask({{"verb", "backup.run"}, {"mailbox", "ann@example.test"}, {"accept_vanished", true}}).contains("done"));
  ASSERT_TRUE(becomes(MailboxState::current));
  EXPECT_EQ(shown().reason, "");
  EXPECT_EQ(shown().items, 6U);
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

// Signed for by one person: the inbox as of its last sync.
class SignedFor final : public RestorePermits {
 public:
  SignedFor(Permit permit, mailboxes::SessionSource& sessions) : permit_(std::move(permit)), sessions_(sessions) {}
  Result<Permit> begin(const std::string& operation, const Deadline&) override {
    if (operation != permit_.request.permit) return Error{ErrorKind::not_found, "no such permit"};
    return permit_;
  }
  std::unique_ptr<mailboxes::SessionSource> sessions(const std::string&) override {
    class Opened final : public mailboxes::SessionSource {
     public:
      explicit Opened(mailboxes::SessionSource& source) : source_(source) {}
      Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
        return source_.open(tenant, connection, purpose, deadline);
      }

     private:
      mailboxes::SessionSource& source_;
    };
    return std::make_unique<Opened>(sessions_);
  }
  std::unique_ptr<mailboxes::SessionSource> reading_sessions(Id) override { return sessions({}); }
  Status record(const RestoreReport&, const Deadline&) override { return done(); }

 private:
  const Permit permit_;
  mailboxes::SessionSource& sessions_;
};

// With a clock that the test moves, so that pauses end when it wants.
class ThrottledBackups : public BackupsTest {
 protected:
  void SetUp() override {
    BackupsTest::SetUp();
    ASSERT_TRUE(becomes(MailboxState::current));
    const auto leave_alone = [](Mailbox& row) {
      row.paused = true;
      row.restore_connection = row.connection;
    };
    ASSERT_TRUE(backups->change(mailbox.id, leave_alone, soon()));
    const RestoreRequest inbox{
        .mailbox = mailbox.id, .as_of = shown().synced_at, .from = {"INBOX"}, .permit = std::string(operation)};
    permits =
        std::make_unique<SignedFor>(RestorePermits::Permit{tenant, mailbox.connection, mailbox.connection, inbox, {}}, sessions);
    begin_again();
  }
  void TearDown() override { backups.reset(); }
  // As after a kill: what was not written down is gone.
  void begin_again() {
    BackupSettings with_clock{3600s, 1};
    with_clock.patience = 200s;
    backups =
        std::make_unique<Backups>(with_clock, Backups::Parts{*book, *store, keys, sessions, clock, nullptr,
                                                             [](const auto&, const auto&) { return done(); }, permits.get()});
    backups->start();
  }
  // While no session is open.
  void take(std::int64_t appends, std::int64_t contents = -1) {
    server.finish_sessions();
    const std::lock_guard lock(server.mutex);
    server.faults.appends_until_pause = appends;
    server.faults.contents_until_pause = contents;
  }
  std::size_t in_inbox() {
    const std::lock_guard lock(server.mutex);
    return server.folders["INBOX"].messages.size();
  }
  std::string begin_restore() {
    {
      const std::lock_guard lock(server.mutex);
      server.folders["INBOX"].messages.clear();
      server.contents_given = 0;
    }
    return carry_out();
  }
  std::string carry_out() {
    return std::string(ask({{"verb", "restore.carry-out"}, {"operation", operation}}).at("restore").as_string());
  }
  boost::json::object shown_restore(const std::string& job) { return ask({{"verb", "restore.show"}, {"restore", job}}); }
  // What is said of it when it waits again after a try; `since`: until when it waited before.
  boost::json::object waits(const std::string& job, const std::string& since = "") {
    boost::json::object report;
    EXPECT_TRUE(comes_true([&] {
      report = shown_restore(job);
      return report.contains("waits_until") && report.at("waits_until").as_string() != since;
    })) << boost::json::serialize(report);
    return report;
  }
  static std::string word(const boost::json::object& of, const char* name) { return std::string(of.at(name).as_string()); }

  static constexpr const char* operation = "5f5f";
  std::unique_ptr<SignedFor> permits;
  NightClock clock{1'800'000'000'000};
};

TEST_F(ThrottledBackups, a_restore_waits_and_goes_on_where_it_was_also_after_a_kill) {
  take(5);
  const std::string job = begin_restore();
  auto report = waits(job);
  EXPECT_FALSE(report.at("over").as_bool());
  EXPECT_EQ(word(report, "waits_for"), "the server of ann@example.test");
  EXPECT_EQ(word(report, "waits_until"), to_iso8601(clock.now() + 30'000));
  EXPECT_EQ(word(report, "gives_up_at"), to_iso8601(clock.now() + 200'000));
  EXPECT_NE(word(report, "waits_because").find("[LIMIT] Too many messages for now"), std::string::npos);
  EXPECT_EQ(report.at("restored").to_number<int>(), 5);
  EXPECT_EQ(backups->restores_waiting(), 1U);
  EXPECT_FALSE(backups->let_go(mailbox.id)) << "it is not removed while something waits";
  take(4, 7);
  begin_again();
  EXPECT_EQ(word(waits(job), "waits_until"), word(report, "waits_until")) << "the next process keeps to it";
  EXPECT_EQ(in_inbox(), 5U);
  clock.advance(30'000);
  const auto second = waits(job, word(report, "waits_until"));
  EXPECT_EQ(second.at("restored").to_number<int>(), 9);
  EXPECT_EQ(word(second, "waits_until"), to_iso8601(clock.now() + 30'000)) << "it got on";
  take(-1, 7);
  clock.advance(30'000);
  const auto third = waits(job, word(second, "waits_until"));
  EXPECT_EQ(in_inbox(), 12U);
  EXPECT_NE(word(third, "waits_because").find("THROTTLED"), std::string::npos) << "while it is read back";
  take(-1);
  begin_again();
  clock.advance(30'000);
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  report = shown_restore(job);
  EXPECT_TRUE(report.at("exact").as_bool()) << boost::json::serialize(report);
  EXPECT_EQ(report.at("restored").to_number<int>(), 12);
  EXPECT_FALSE(report.contains("waits_until"));
  EXPECT_EQ(backups->restores_waiting(), 0U);
  const std::lock_guard lock(server.mutex);
  EXPECT_EQ(server.folders["INBOX"].messages.size(), 12U);
  EXPECT_EQ(server.contents_given, 12U) << "each was read back once";
}

TEST_F(ThrottledBackups, a_restore_from_which_nothing_comes_is_given_up_and_says_what_to_do) {
  take(0);
  const std::string job = begin_restore();
  const Milliseconds begun = clock.now();
  std::string until;
  for (const Milliseconds wait : {30'000, 60'000, 110'000}) {  // the last one ends with the patience
    until = word(waits(job, until), "waits_until");
    EXPECT_EQ(until, to_iso8601(clock.now() + wait));
    clock.advance(wait);
  }
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  const std::string failure = word(shown_restore(job), "failure");
  for (const char* part : {"[LIMIT] Too many messages", "nothing came of it for 200 s (backup.patience_seconds)",
                           "sign for it again with mailhold restore start", "only what is missing"})
    EXPECT_NE(failure.find(part), std::string::npos) << failure;
  EXPECT_NE(failure.find(to_iso8601(begun)), std::string::npos) << failure;
  EXPECT_FALSE(book->restore(Id::parse(job).value(), soon()).value().empty());
  take(-1);
  const std::string again = carry_out();
  ASSERT_TRUE(comes_true([&] { return shown_restore(again).at("over").as_bool(); }));
  EXPECT_TRUE(shown_restore(again).at("exact").as_bool());
}

TEST_F(ThrottledBackups, a_verification_waits_too_and_writes_nothing_after_a_kill) {
  const std::string job = begin_restore();
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  {
    const std::lock_guard lock(server.mutex);
    server.folders["INBOX"].remove(2);
  }
  take(-1, 4);
  ASSERT_TRUE(ask({{"verb", "restore.verify"}, {"restore", job}}).contains("restore"));
  waits(job);
  take(-1);
  begin_again();
  clock.advance(30'000);
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  EXPECT_FALSE(shown_restore(job).at("exact").as_bool());
  EXPECT_EQ(shown_restore(job).at("not_as_it_was").as_array().size(), 1U);
  EXPECT_EQ(in_inbox(), 11U);
}

TEST_F(ThrottledBackups, a_verification_begins_once_although_two_ask_for_it_at_a_slow_server) {
  const std::string job = begin_restore();
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  take(-1, 4);
  {
    const std::lock_guard lock(sessions.mutex);
    sessions.until_all_are_there = 2;
  }
  std::atomic<int> begun = 0, refused = 0;
  {
    std::vector<std::jthread> both;
    for (int i = 0; i < 2; ++i)
      both.emplace_back([&] {
        const auto answer = ask({{"verb", "restore.verify"}, {"restore", job}});
        if (answer.contains("restore")) ++begun;
        if (answer.contains("error") && answer.at("error") == "denied") ++refused;
      });
  }
  EXPECT_EQ(begun, 1);
  EXPECT_EQ(refused, 1);
  waits(job);
  take(-1);
  clock.advance(30'000);
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  EXPECT_TRUE(shown_restore(job).at("exact").as_bool());
  EXPECT_EQ(backups->restores_waiting(), 0U);
}

TEST_F(ThrottledBackups, a_verification_that_comes_to_no_end_leaves_the_report_as_it_was) {
  const std::string job = begin_restore();
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  boost::json::object before = shown_restore(job);
  ASSERT_TRUE(before.at("exact").as_bool());
  take(-1, 4);
  ASSERT_TRUE(ask({{"verb", "restore.verify"}, {"restore", job}}).contains("restore"));
  const std::string until = word(waits(job), "waits_until");
  {
    // It went while nobody could look: what the next try would find says nothing of the whole.
    const std::lock_guard lock(server.mutex);
    server.folders["INBOX"].remove(11);
  }
  take(-1, 1);
  begin_again();
  clock.advance(30'000);
  waits(job, until);
  refuse(Error{ErrorKind::denied, "the permit counts no more"});
  clock.advance(60'000);
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  begin_again();
  boost::json::object after = shown_restore(job);
  const std::string failure = word(after, "failure");
  for (const char* part : {"it could not be read back again", "the permit counts no more", "stays as it was"})
    EXPECT_NE(failure.find(part), std::string::npos) << failure;
  after.erase("failure");
  after.erase("not_read_back");
  EXPECT_EQ(after, before);
  // The next one that comes to its end counts.
  refuse(std::nullopt);
  take(-1);
  ASSERT_TRUE(ask({{"verb", "restore.verify"}, {"restore", job}}).contains("restore"));
  ASSERT_TRUE(comes_true([&] { return shown_restore(job).at("over").as_bool(); }));
  EXPECT_FALSE(shown_restore(job).contains("failure"));
  EXPECT_FALSE(shown_restore(job).at("exact").as_bool());
}

TEST_F(ThrottledBackups, two_restores_do_not_write_to_one_mailbox_at_once_and_others_do_not_wait) {
  take(2);
  const std::string first = begin_restore();
  const std::string until = word(waits(first), "waits_until");
  take(-1);
  const std::string second = carry_out();
  ASSERT_TRUE(comes_true([&] { return shown_restore(second).at("over").as_bool(); }));
  EXPECT_EQ(word(shown_restore(first), "waits_until"), until);
  clock.advance(30'000);
  ASSERT_TRUE(comes_true([&] { return shown_restore(first).at("over").as_bool(); }));
  EXPECT_TRUE(shown_restore(first).at("exact").as_bool());
  EXPECT_EQ(in_inbox(), 12U);
}

TEST_F(ThrottledBackups, a_proof_is_put_off_and_passes_in_the_same_night) {
  const auto proof = [&] { return ask({{"verb", "backup.proof"}, {"mailbox", "ann@example.test"}}); };
  refuse(Error{ErrorKind::unavailable, "IMAP server takes no sign-in now and says LIMIT"});
  ASSERT_TRUE(ask({{"verb", "backup.prove"}, {"mailbox", "ann@example.test"}, {"items", 4}}).contains("proof"));
  ASSERT_TRUE(comes_true([&] { return proof().contains("put_off_until"); }));
  EXPECT_EQ(word(proof(), "put_off_until"), to_iso8601(clock.now() + 30'000));
  EXPECT_TRUE(word(proof(), "trouble").starts_with("put off: tried again at " + to_iso8601(clock.now() + 30'000)));
  EXPECT_TRUE(proof().at("running").as_bool());
  EXPECT_EQ(word(proof(), "outcome"), "none");
  EXPECT_EQ(ask({{"verb", "mailbox.list"}}).at("mailboxes").as_array()[0].as_object().at("proof").as_object().at("outcome"),
            "none");
  // It left nothing at the server, so that the mailbox is read meanwhile.
  const Milliseconds before = shown().tried_at;
  refuse(std::nullopt);
  ASSERT_TRUE(backups->change(mailbox.id, [](Mailbox& row) { row.paused = false; }, soon()));
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  ASSERT_TRUE(comes_true([&] { return shown().tried_at > before; }));
  EXPECT_TRUE(proof().at("running").as_bool());
  begin_again();
  EXPECT_EQ(word(proof(), "outcome"), "none");
  clock.advance(30'000);
  ASSERT_TRUE(comes_true([&] { return word(proof(), "outcome") == "passed"; }));
  ASSERT_TRUE(comes_true([&] { return !proof().at("running").as_bool(); }));
  EXPECT_FALSE(proof().contains("trouble"));
  EXPECT_FALSE(proof().contains("put_off_until"));
  EXPECT_EQ(proof().at("items").to_number<int>(), 4);
}

TEST_F(ThrottledBackups, a_proof_of_which_nothing_comes_ends_with_the_night_and_did_not_fail) {
  const auto proof = [&] { return ask({{"verb", "backup.proof"}, {"mailbox", "ann@example.test"}}); };
  take(2);
  ASSERT_TRUE(ask({{"verb", "backup.prove"}, {"mailbox", "ann@example.test"}, {"items", 4}}).contains("proof"));
  ASSERT_TRUE(comes_true([&] { return proof().contains("put_off_until"); }));
  EXPECT_NE(word(proof(), "trouble").find("[LIMIT] Too many messages for now"), std::string::npos);
  take(0);
  for (int i = 0; i < 10 && proof().at("running").as_bool(); ++i) {
    const std::string until = proof().contains("put_off_until") ? word(proof(), "put_off_until") : "";
    clock.advance(3'600'000);
    ASSERT_TRUE(comes_true([&] {
      const auto now = proof();
      return !now.at("running").as_bool() || (now.contains("put_off_until") && word(now, "put_off_until") != until);
    }));
  }
  EXPECT_FALSE(proof().at("running").as_bool());
  EXPECT_TRUE(word(proof(), "trouble").starts_with("no proof: ")) << word(proof(), "trouble");
  EXPECT_EQ(word(proof(), "outcome"), "none");
  EXPECT_EQ(ask({{"verb", "mailbox.list"}}).at("mailboxes").as_array()[0].as_object().at("state"), "paused");
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
