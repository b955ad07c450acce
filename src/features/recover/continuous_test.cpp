// Mailboxes with a schedule of their own, and such as are read as soon as something changes in them.
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
    ++asked;
    if (refusal) return *refusal;
    return server_.open(tenant, connection, purpose, deadline);
  }
  std::mutex mutex;
  std::size_t asked = 0;
  std::optional<Error> refusal;

 private:
  FakeImapServer& server_;
};

class SetClock final : public Clock {
 public:
  explicit SetClock(Milliseconds start) : now_(start) {}
  Milliseconds now() const override { return now_; }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }

 private:
  std::atomic<Milliseconds> now_;
};

class ContinuousTest : public RecoverFixture {
 protected:
  static constexpr const char* with_idle = "IMAP4rev1 ENABLE UIDPLUS LITERAL+ CONDSTORE QRESYNC IDLE";
  void SetUp() override {
    RecoverFixture::SetUp();
    fill();
    server.offer(with_idle);
    backup_settings.every = 24h;
    backup_settings.sessions_max = 1;
    backup_settings.watches.gather = backup_settings.watches.distance = 1ms;
    backup_settings.watches.unwatched_every = 24h;
    backup_settings.watched_every = 24h;
  }
  void TearDown() override { backups.reset(); }
  void start(const Schedule& schedule = {Reading::continuous}) {
    mailbox = book->mailbox(mailbox.id, soon()).value();
    mailbox.schedule = schedule;
    ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
    start_anew();
  }
  void start_anew() {
    backups.reset();
    backups = std::make_unique<Backups>(backup_settings, Backups::Parts{*book, *store, keys, sessions, clock});
    backups->start();
  }
  Mailbox shown() { return book->mailbox(mailbox.id, soon()).value(); }
  Backups::View view() {
    for (Backups::View& each : backups->list(soon()).value()) {
      if (each.mailbox.id == mailbox.id) return each;
    }
    return {};
  }
  // Whether it comes true; no test waits for it to stay false.
  static bool comes_true(const std::function<bool()>& is_true) {
    for (int i = 0; i < 3000 && !is_true(); ++i) std::this_thread::sleep_for(10ms);
    return is_true();
  }
  // Watched, and read since; a first sync, one after the watch, and no more.
  bool is_at_rest() {
    return comes_true([&] { return view().watch == "open" && !view().running && view().next_sync_at.has_value(); });
  }
  void deliver(int count = 1) {
    const std::lock_guard lock(server.mutex);
    std::string lines;
    for (int i = 0; i < count; ++i) {
      server.folders["INBOX"].add(letter("new " + std::to_string(i)));
      lines += "* " + std::to_string(server.folders["INBOX"].messages.size()) + " EXISTS\r\n";
    }
    server.tell_idlers(lines);
  }
  void drop_watches(const std::string& words = "") {
    const std::lock_guard lock(server.mutex);
    server.tell_idlers(words);
    server.drop_idlers();
  }
  void refuse(std::optional<Error> error) {
    const std::lock_guard lock(sessions.mutex);
    sessions.refusal = std::move(error);
  }
  std::size_t asked() {
    const std::lock_guard lock(sessions.mutex);
    return sessions.asked;
  }
  boost::json::object ask(boost::json::object request) {
    const auto answer = BackupVerbs(*backups, *book, {}).answer(boost::json::serialize(request), soon());
    if (!answer) return {{"error", std::string(mailhold::name_of(answer.error().kind))}, {"said", answer.error().for_peer}};
    return boost::json::parse(*answer).as_object();
  }
  boost::json::object schedule(boost::json::object request) {
    request["verb"] = "mailbox.schedule";
    return ask(std::move(request));
  }

  BackupSettings backup_settings;
  Sessions sessions{server};
  SetClock clock{system_clock().now()};
  std::unique_ptr<Backups> backups;
};

TEST_F(ContinuousTest, what_comes_is_kept_without_waiting_and_a_burst_is_read_once) {
  backup_settings.watches.gather = 50ms;
  start();
  // The first sync, the watch, and what may have come between them.
  ASSERT_TRUE(comes_true([&] { return asked() == 3; }));
  ASSERT_TRUE(is_at_rest());
  EXPECT_EQ(shown().items, 17U);
  const std::size_t before = asked();
  deliver(30);
  ASSERT_TRUE(comes_true([&] { return shown().items == 47; })) << shown().items;
  ASSERT_TRUE(is_at_rest());
  EXPECT_EQ(asked(), before + 1) << "one session for all of it";
  {
    const std::lock_guard lock(server.mutex);
    server.folders["INBOX"].remove(0);
    server.tell_idlers("* VANISHED 1\r\n");
  }
  EXPECT_TRUE(comes_true([&] { return shown().items == 46; }));
  EXPECT_EQ(backups->watches().open, 1U);
}

TEST_F(ContinuousTest, two_changes_are_read_at_a_distance) {
  backup_settings.watches.distance = 1500ms;
  start();
  ASSERT_TRUE(is_at_rest());
  const auto begun = std::chrono::steady_clock::now();
  deliver();
  ASSERT_TRUE(comes_true([&] { return shown().items == 18; }));
  deliver();
  ASSERT_TRUE(comes_true([&] { return shown().items == 19; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1500ms);
}

TEST_F(ContinuousTest, without_a_watch_it_is_read_often_and_the_list_says_why) {
  server.offer("IMAP4rev1 ENABLE UIDPLUS LITERAL+ CONDSTORE QRESYNC");
  backup_settings.watches.unwatched_every = 1s;
  start();
  ASSERT_TRUE(comes_true([&] { return view().watch == "the server has no IDLE"; })) << view().watch;
  deliver();
  EXPECT_TRUE(comes_true([&] { return shown().items == 18; }));
  EXPECT_EQ(ask({{"verb", "mailbox.list"}}).at("mailboxes").as_array()[0].as_object().at("watch"), "the server has no IDLE");
  const auto idle = [&] {
    const std::lock_guard lock(server.mutex);
    return std::count(server.commands.begin(), server.commands.end(), "EXAMINE \"INBOX\"");
  };
  EXPECT_GE(idle(), 1);
}

TEST_F(ContinuousTest, a_watch_that_ends_is_opened_later_and_the_mailbox_is_read_meanwhile) {
  backup_settings.watches.unwatched_every = 1s;
  start();
  ASSERT_TRUE(is_at_rest());
  drop_watches("* BYE too much to do\r\n");
  ASSERT_TRUE(comes_true([&] { return view().watch == "the server said BYE"; })) << view().watch;
  deliver();
  ASSERT_TRUE(comes_true([&] { return shown().items == 18; }));
  EXPECT_EQ(backups->watches().open, 0U) << "a server that ends it at once is left alone for a while";
  EXPECT_EQ(backups->watches().wanted, 1U);
}

TEST_F(ContinuousTest, it_ends_with_what_it_is_for) {
  start();
  ASSERT_TRUE(is_at_rest());
  const auto is_gone = [&] { return comes_true([&] { return server.idlers() == 0; }); };
  EXPECT_TRUE(ask({{"verb", "mailbox.pause"}, {"mailbox", "ann@example.test"}}).contains("done"));
  EXPECT_EQ(backups->watches().wanted, 0U);
  EXPECT_TRUE(is_gone());
  EXPECT_TRUE(ask({{"verb", "mailbox.resume"}, {"mailbox", "ann@example.test"}}).contains("done"));
  ASSERT_TRUE(is_at_rest());
  EXPECT_TRUE(schedule({{"mailbox", "ann@example.test"}, {"every", "6h"}}).contains("done"));
  EXPECT_EQ(view().watch, "");
  EXPECT_TRUE(is_gone());
  EXPECT_TRUE(schedule({{"mailbox", "ann@example.test"}, {"continuous", true}}).contains("done"));
  ASSERT_TRUE(is_at_rest());
  ASSERT_TRUE(backups->let_go(mailbox.id)) << "a watch is no work";
  EXPECT_TRUE(is_gone());
}

TEST_F(ContinuousTest, a_proof_gets_its_session_and_the_watch_comes_back) {
  start();
  ASSERT_TRUE(is_at_rest());
  const std::size_t idled_before = [&] {
    const std::lock_guard lock(server.mutex);
    return static_cast<std::size_t>(std::count(server.commands.begin(), server.commands.end(), "IDLE"));
  }();
  ASSERT_TRUE(backups->prove(mailbox.id, 3, soon()));
  ASSERT_TRUE(comes_true([&] { return view().proof.is_over && view().proof.outcome == ProofOutcome::passed; }));
  ASSERT_TRUE(is_at_rest());
  const std::lock_guard lock(server.mutex);
  EXPECT_GT(static_cast<std::size_t>(std::count(server.commands.begin(), server.commands.end(), "IDLE")), idled_before);
}

TEST_F(ContinuousTest, a_suspended_connection_is_not_asked_again_and_again) {
  backup_settings.every = 24h;
  backup_settings.watches.unwatched_every = 1s;
  start();
  ASSERT_TRUE(is_at_rest());
  refuse(Error{ErrorKind::denied, "the connection is suspended"});
  const std::size_t before = asked();
  drop_watches();
  ASSERT_TRUE(comes_true([&] { return shown().state == MailboxState::needs_attention; }));
  ASSERT_TRUE(comes_true([&] { return view().next_sync_at.has_value(); }));
  EXPECT_GT(*view().next_sync_at, clock.now() + 23 * hour) << "somebody must look at it first";
  EXPECT_LE(asked(), before + 2);
  EXPECT_EQ(backups->watches().open, 0U);
  refuse(std::nullopt);
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  EXPECT_TRUE(comes_true([&] { return shown().state == MailboxState::current; }));
}

TEST_F(ContinuousTest, a_sync_that_does_not_come_to_its_end_takes_the_watch_with_it) {
  start();
  ASSERT_TRUE(is_at_rest());
  refuse(Error{ErrorKind::unavailable, "too many connections"});
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  EXPECT_TRUE(comes_true([&] { return server.idlers() == 0; }));
  EXPECT_EQ(view().watch, "its last sync did not come to its end");
  const Milliseconds now_is = clock.now();
  EXPECT_LE(view().next_sync_at.value_or(0), now_is + 31'000) << "by the rule of pauses";
}

TEST_F(ContinuousTest, those_beyond_the_limit_are_read_often_instead) {
  backup_settings.watches.watches_max = 1;
  backup_settings.watches.unwatched_every = 1s;
  Mailbox other = mailbox;
  other.id = Id::random();
  other.name = "bea@example.test";
  other.schedule = {Reading::continuous};
  ASSERT_TRUE(book->put_mailbox(other, soon()));
  start();
  std::multiset<std::string> shown_watches;
  ASSERT_TRUE(comes_true([&] {
    shown_watches.clear();
    for (const Backups::View& each : backups->list(soon()).value()) shown_watches.insert(each.watch);
    return shown_watches.contains("open") && std::any_of(shown_watches.begin(), shown_watches.end(), [](const std::string& each) {
             return each.starts_with("as many mailboxes are watched as may be");
           });
  }));
  EXPECT_EQ(backups->watches().wanted, 2U);
  EXPECT_EQ(backups->watches().open, 1U);
  EXPECT_EQ(server.idlers(), 1U);
  deliver();
  EXPECT_TRUE(comes_true([&] {
    const auto all = backups->list(soon()).value();
    return std::all_of(all.begin(), all.end(), [](const Backups::View& each) { return each.mailbox.items == 18; });
  }));
}

TEST_F(ContinuousTest, a_stop_waits_for_no_server) {
  {
    const std::lock_guard lock(server.mutex);
    server.faults.ignores_idle = true;
  }
  start();
  ASSERT_TRUE(comes_true([&] {
    const std::lock_guard lock(server.mutex);
    return std::count(server.commands.begin(), server.commands.end(), "IDLE") == 1;
  })) << "it is being opened";
  const auto begun = std::chrono::steady_clock::now();
  backups.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s) << "an opening may take a minute";
}

TEST_F(ContinuousTest, a_time_of_its_own_counts_from_the_last_sync_also_in_a_new_process) {
  backup_settings.every = 1s;
  start({Reading::every, 6h});
  ASSERT_TRUE(comes_true([&] { return shown().state == MailboxState::current && !view().running; }));
  const Milliseconds first = shown().tried_at;
  EXPECT_NEAR(static_cast<double>(view().next_sync_at.value_or(0)), static_cast<double>(clock.now() + 6 * hour), 60'000);
  clock.advance(4h);
  start_anew();
  ASSERT_TRUE(view().next_sync_at.has_value());
  EXPECT_NEAR(static_cast<double>(*view().next_sync_at), static_cast<double>(first + 6 * hour), 60'000);
  EXPECT_EQ(shown().tried_at, first);
  clock.advance(2h);
  start_anew();
  EXPECT_TRUE(comes_true([&] { return shown().tried_at > first; })) << "its time has come";
  ASSERT_TRUE(comes_true([&] { return view().next_sync_at.has_value(); }));
  // Sooner than now at once, later than now later.
  const Milliseconds second = shown().tried_at;
  EXPECT_TRUE(schedule({{"mailbox", mailbox.id.text()}, {"every", "7d"}}).contains("done"));
  EXPECT_NEAR(static_cast<double>(view().next_sync_at.value_or(0)), static_cast<double>(second + 7 * 24 * hour), 60'000);
  clock.advance(1h);
  EXPECT_TRUE(schedule({{"mailbox", mailbox.id.text()}, {"every", "30m"}}).contains("done"));
  EXPECT_TRUE(comes_true([&] { return shown().tried_at > second; }));
  EXPECT_EQ(ask({{"verb", "mailbox.list"}}).at("mailboxes").as_array()[0].as_object().at("schedule"), "every 30m");
}

TEST_F(ContinuousTest, a_server_that_wants_to_be_left_alone_is_whatever_the_schedule) {
  start({});
  ASSERT_TRUE(comes_true([&] { return shown().state == MailboxState::current && !view().running; }));
  refuse(Error{ErrorKind::unavailable, "the server says later"});
  ASSERT_TRUE(backups->sync_soon(mailbox.id, soon()));
  ASSERT_TRUE(comes_true([&] { return !shown().reason.empty() && !view().running; }));
  const std::size_t before = asked();
  for (const char* every : {"60s", "1m", "2m"})
    EXPECT_TRUE(schedule({{"mailbox", mailbox.id.text()}, {"every", every}}).contains("done"));
  ASSERT_TRUE(view().next_sync_at.has_value());
  EXPECT_GT(*view().next_sync_at, clock.now() + 5'000);
  EXPECT_EQ(asked(), before);
}

TEST_F(ContinuousTest, a_schedule_is_of_one_mailbox_or_of_all_of_a_tenant) {
  Mailbox imported = mailbox, calendar = mailbox, foreign = mailbox;
  imported.id = Id::random(), imported.connection = {}, imported.name = "old mail";
  calendar.id = Id::random(), calendar.kind = mailboxes::MailboxKind::dav, calendar.name = "calendar";
  foreign.id = Id::random(), foreign.tenant = Id::random(), foreign.name = "foreign";
  for (Mailbox* each : {&imported, &calendar, &foreign}) {
    each->paused = true;
    ASSERT_TRUE(book->put_mailbox(*each, soon()));
  }
  start({});
  const auto of = [&](const Mailbox& one) { return text_of(book->mailbox(one.id, soon()).value().schedule); };
  EXPECT_EQ(schedule({{"tenant", tenant.text()}, {"every", "2h"}}).at("mailboxes"), 2);
  EXPECT_EQ(of(mailbox) + ", " + of(calendar) + ", " + of(imported) + ", " + of(foreign), "every 2h, every 2h, default, default");
  EXPECT_EQ(schedule({{"mailbox", "calendar"}, {"types", "event,task"}}).at("mailboxes"), 1);
  EXPECT_EQ(text_of(book->mailbox(calendar.id, soon()).value().types), "event,task");
  EXPECT_EQ(of(calendar), "every 2h") << "what is not said stays";
  // Nothing of it, where one of them cannot be read so.
  const auto refused = schedule({{"tenant", tenant.text()}, {"default", true}, {"types", "event"}});
  EXPECT_EQ(refused.at("error"), "invalid_input");
  EXPECT_NE(std::string(refused.at("said").as_string()).find("holds mail alone"), std::string::npos);
  EXPECT_EQ(of(mailbox) + of(calendar), "every 2hevery 2h");
  const boost::json::object wrong[] = {{{"mailbox", "calendar"}},
                                       {{"every", "2h"}},
                                       {{"mailbox", "calendar"}, {"tenant", tenant.text()}, {"every", "2h"}},
                                       {{"mailbox", "calendar"}, {"every", "2h"}, {"continuous", true}},
                                       {{"mailbox", "calendar"}, {"every", "1s"}},
                                       {{"mailbox", "calendar"}, {"types", "mail"}}};
  for (const boost::json::object& each : wrong)
    EXPECT_EQ(schedule(each).at("error"), "invalid_input") << boost::json::serialize(each);
  EXPECT_EQ(schedule({{"mailbox", "old mail"}, {"every", "2h"}}).at("error"), "denied");
  EXPECT_EQ(schedule({{"mailbox", "nobody"}, {"every", "2h"}}).at("error"), "not_found");
  EXPECT_EQ(schedule({{"tenant", Id::random().text()}, {"every", "2h"}}).at("error"), "not_found");
}

}  // namespace
}  // namespace mailhold::recover
