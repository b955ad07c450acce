// Items go back, or into somebody else's mailbox: only what was signed for, only into that mailbox, only while it counts.
#include <atomic>
#include <boost/json.hpp>

#include "base/log.h"
#include "fakes/recover_fixture.h"
#include "features/recover/backup_verbs.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

// Lets so many sessions that write come about; the next one waits for its caller to be stopped.
struct Gate {
  std::atomic<int> sessions_left = 1000;
  std::atomic<bool> is_reached = false;
};

// Two servers behind a broker that opens sessions which write under a permit alone, to the connection that it names.
class TwoServers final : public mailboxes::SessionSource {
 public:
  TwoServers(FakeImapServer& anns, FakeImapServer& bobs, Id bobs_connection, Id written, Gate& gate)
      : anns_(anns), bobs_(bobs), bobs_connection_(bobs_connection), written_(written), gate_(gate) {}
  Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
    if (purpose == "restore.write" && (written_.is_none() || connection != written_))
      return Error{ErrorKind::denied, "restore.write takes a permit"};
    if (purpose == "restore.write" && gate_.sessions_left-- <= 0) {
      gate_.is_reached = true;
      while (!deadline.stop.stop_requested()) std::this_thread::sleep_for(1ms);
      return Error{ErrorKind::cancelled, "asked to stop"};
    }
    return (connection == bobs_connection_ ? bobs_ : anns_).open(tenant, connection, purpose, deadline);
  }

 private:
  FakeImapServer& anns_;
  FakeImapServer& bobs_;
  const Id bobs_connection_, written_;
  Gate& gate_;
};

// As brokerd answers for a connection that reads something else than was written to.
class ElsewhereReading final : public mailboxes::SessionSource {
  Result<ipc::OwnedFd> open(Id, Id, std::string_view, const Deadline&) override {
    return Error{ErrorKind::denied, "the connection reads another account"};
  }
};

class Permits final : public RestorePermits {
 public:
  explicit Permits(std::function<std::unique_ptr<mailboxes::SessionSource>(Id written)> sessions)
      : sessions_(std::move(sessions)) {}
  Result<Permit> begin(const std::string& operation, const Deadline&) override {
    const std::lock_guard lock(mutex);
    ++begun;
    if (times_away-- > 0) return Error{ErrorKind::unavailable, "the ledger is not open yet"};
    if (operation != name || is_withdrawn) return Error{ErrorKind::not_found, "the permit counts no more"};
    return permit;
  }
  std::unique_ptr<mailboxes::SessionSource> sessions(const std::string& operation) override {
    const std::lock_guard lock(mutex);
    return sessions_(operation == name && !is_withdrawn ? permit.connection : Id());
  }
  std::unique_ptr<mailboxes::SessionSource> reading_sessions(Id written) override {
    const std::lock_guard lock(mutex);
    if (written != read_as_well) return std::make_unique<ElsewhereReading>();
    return sessions_(Id());
  }
  Status record(const RestoreReport& report, const Deadline&) override {
    const std::lock_guard lock(mutex);
    recorded.push_back(report);
    return done();
  }

  std::mutex mutex;  // guards what follows
  std::string name = "5f5f";
  Permit permit;
  bool is_withdrawn = false;
  int times_away = 0, begun = 0;
  Id read_as_well;  // a connection; other ones read the account that it writes to
  std::vector<RestoreReport> recorded;

 private:
  const std::function<std::unique_ptr<mailboxes::SessionSource>(Id written)> sessions_;
};

class RestoreInto : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill();
    ASSERT_TRUE(sync());
    mailbox.synced_at = now;
    mailbox.paused = true;
    mailbox.restore_connection = anns_connection;
    ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
    bob.id = Id::random();
    bob.tenant = tenant;
    bob.name = "bob@example.test";
    bob.paused = true;
    bob.restore_connection = bobs_connection;
    ASSERT_TRUE(book->put_mailbox(bob, soon()));
    bobs.folders["INBOX"].add("a letter of bob's own");
    before = at_server();
    bobs_before = at_bobs();
    permits.permit = {
        tenant, bobs_connection, {}, {.mailbox = mailbox.id, .as_of = now, .into = bob.id, .permit = permits.name}, {}};
    start();
  }
  // Signed for by one person: back to where it was.
  void sign_for_its_own_place() {
    permits.permit = {
        tenant, anns_connection, mailbox.connection, {.mailbox = mailbox.id, .as_of = now, .permit = permits.name}, {}};
  }
  void TearDown() override { backups.reset(); }
  void start() {
    backups = std::make_unique<Backups>(BackupSettings{3600s, 1},
                                        Backups::Parts{*book, *store, keys, *sessions, system_clock(), nullptr,
                                                       [](const auto&, const auto&) { return done(); }, &permits});
    backups->start();
  }
  // As a process left it that ended in the middle of it.
  Id put_unfinished(const RestoreRequest& request) {
    backups.reset();
    RestoreReport report;
    report.request = request;
    const Id job = Id::random();
    EXPECT_TRUE(book->put_restore(tenant, job, write_report(report), soon()));
    return job;
  }
  RestoreRequest request_into_bobs() {
    RestoreRequest request = permits.permit.request;
    request.place = place_of(mailbox);
    return request;
  }
  Result<std::vector<Id>> find(const std::string& query) {
    if (query != "subject:old") return Error{ErrorKind::not_found, "nothing is found"};
    std::vector<Id> found;
    const auto folders = book->folders_as_of(mailbox, now, soon()).value();
    for (const FolderRow& folder : folders) {
      if (folder.folder.path.front() != "Archive") continue;
      const auto items = book->items_as_of(folder, now, soon()).value();
      for (const ItemRow& item : items) found.push_back(item.id);
    }
    return found;
  }
  boost::json::object ask(boost::json::object request) {
    const auto finding = [this](const Mailbox&, const std::string& query, Milliseconds, const Deadline&) { return find(query); };
    const auto answer = BackupVerbs(*backups, *book, finding).answer(boost::json::serialize(request), soon());
    if (!answer) return {{"error", std::string(mailhold::name_of(answer.error().kind))}, {"said", answer.error().detail}};
    return boost::json::parse(*answer).as_object();
  }
  void withdraw() {
    const std::lock_guard lock(permits.mutex);
    permits.is_withdrawn = true;
  }
  boost::json::object carry_out(bool dry_run = false, const std::string& operation = "5f5f") {
    const auto begun = ask({{"verb", "restore.carry-out"}, {"operation", operation}, {"dry_run", dry_run}});
    return begun.contains("error") ? begun : report_of(std::string(begun.at("restore").as_string()));
  }
  boost::json::object report_of(const std::string& job) {
    for (int i = 0; i < 3000; ++i) {
      auto report = ask({{"verb", "restore.show"}, {"restore", job}});
      if (report.contains("error") || report.at("over").as_bool()) return report;
      std::this_thread::sleep_for(10ms);
    }
    return {};
  }
  Picture at_bobs() {
    const std::lock_guard lock(bobs.mutex);
    Picture picture;
    for (const auto& [name, folder] : bobs.folders) {
      auto& contents = picture[name];
      for (const FakeMessage& message : folder.messages)
        contents.emplace(message.content, std::vector<std::string>(message.flags.begin(), message.flags.end()));
    }
    return picture;
  }

  std::unique_ptr<TwoServers> sessions_under(Id written) {
    return std::make_unique<TwoServers>(server, bobs, bobs_connection, written, gate);
  }

  FakeImapServer bobs;
  const Id anns_connection = Id::random(), bobs_connection = Id::random();
  Gate gate;
  Mailbox bob;
  Permits permits{[this](Id written) { return sessions_under(written); }};
  std::unique_ptr<TwoServers> sessions = sessions_under(Id());
  Picture before, bobs_before;
  std::unique_ptr<Backups> backups;
};

TEST_F(RestoreInto, goes_below_a_folder_that_says_whose_it_was_and_is_read_back) {
  auto report = carry_out(true);
  EXPECT_EQ(report.at("missing").to_number<int>(), 17) << boost::json::serialize(report);
  EXPECT_EQ(at_bobs(), bobs_before) << "a dry run writes nothing";
  report = carry_out();
  ASSERT_TRUE(report.at("exact").as_bool()) << boost::json::serialize(report);
  EXPECT_EQ(report.at("restored").to_number<int>(), 17);
  EXPECT_EQ(report.at("mailbox").as_string(), mailbox.id.text());
  EXPECT_EQ(report.at("into_mailbox").as_string(), bob.id.text());
  Picture there = at_bobs();
  EXPECT_EQ(there["Restored from ann@example_test/INBOX"], before["INBOX"]);
  EXPECT_EQ(there["Restored from ann@example_test/Archive/2026"], before["Archive/2026"]);
  EXPECT_EQ(there["INBOX"], bobs_before["INBOX"]);
  EXPECT_EQ(at_server(), before);
  // The difference is taken at the mailbox it goes into: once more nothing is missing there, and nothing comes twice.
  EXPECT_EQ(carry_out(true).at("missing").to_number<int>(), 0);
  EXPECT_EQ(carry_out().at("present").to_number<int>(), 17);
  EXPECT_EQ(at_bobs(), there);
  const std::lock_guard lock(permits.mutex);
  ASSERT_EQ(permits.recorded.size(), 4U);
  EXPECT_EQ(permits.recorded[1].count(Outcome::restored), 17U);
  EXPECT_EQ(permits.recorded[1].request.into, bob.id);
}

TEST_F(RestoreInto, what_was_signed_for_as_a_dry_run_stays_one) {
  permits.permit.request.dry_run = true;
  const auto report = carry_out();
  EXPECT_TRUE(report.at("dry_run").as_bool());
  EXPECT_EQ(report.at("missing").to_number<int>(), 17);
  EXPECT_EQ(at_bobs(), bobs_before);
}

TEST_F(RestoreInto, what_was_signed_for_says_what_and_where_to) {
  permits.permit.request.from = {"Archive"};
  permits.permit.request.to = {"From ann"};
  EXPECT_EQ(carry_out().at("restored").to_number<int>(), 5);
  EXPECT_EQ(at_bobs()["From ann/2026"], before["Archive/2026"]);
  permits.permit.request.from.clear();
  permits.permit.request.to = {"Found"};
  permits.permit.query = "subject:old";
  EXPECT_EQ(carry_out().at("restored").to_number<int>(), 5);
  EXPECT_EQ(at_bobs()["Found/Archive/2026"], before["Archive/2026"]);
  permits.permit.query = "nothing";
  EXPECT_EQ(carry_out().at("error"), "not_found");
}

TEST_F(RestoreInto, nothing_is_written_without_what_two_have_signed) {
  EXPECT_EQ(carry_out(false, "6a6a").at("error"), "not_found");
  EXPECT_EQ(ask({{"verb", "restore.start"}, {"mailbox", mailbox.id.text()}}).at("error"), "invalid_input")
      << "no other way leads there";
  withdraw();
  EXPECT_EQ(carry_out().at("error"), "not_found");
  EXPECT_EQ(at_bobs(), bobs_before);
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreInto, goes_back_to_its_own_place_when_that_was_signed_for) {
  sign_for_its_own_place();
  {
    const std::lock_guard lock(server.mutex);
    server.folders.erase("Archive/2026");
  }
  EXPECT_EQ(carry_out(true).at("missing").to_number<int>(), 5);
  const auto report = carry_out();
  EXPECT_TRUE(report.at("exact").as_bool()) << boost::json::serialize(report);
  EXPECT_EQ(report.at("restored").to_number<int>(), 5);
  EXPECT_EQ(report.at("operation").as_string(), permits.name);
  EXPECT_FALSE(report.contains("into_mailbox"));
  EXPECT_EQ(at_server(), before);
  EXPECT_EQ(at_bobs(), bobs_before);
  {
    const std::lock_guard lock(permits.mutex);
    EXPECT_EQ(permits.recorded.size(), 2U) << "the ledger has it";
  }
  // What was signed for was another place than the mailbox has by now.
  permits.permit.reading = Id::random();
  EXPECT_EQ(carry_out().at("error"), "denied");
  permits.permit.reading = mailbox.connection;
  permits.permit.connection = bobs_connection;
  EXPECT_EQ(carry_out().at("error"), "denied");
  EXPECT_EQ(at_bobs(), bobs_before);
}

TEST_F(RestoreInto, is_read_back_again_while_its_permit_counts_and_what_is_known_stays) {
  const auto report = carry_out();
  const std::string job(report.at("restore").as_string());
  EXPECT_TRUE(ask({{"verb", "restore.verify"}, {"restore", job}}).contains("restore"));
  EXPECT_TRUE(report_of(job).at("exact").as_bool());
  withdraw();
  const auto refused = ask({{"verb", "restore.verify"}, {"restore", job}});
  EXPECT_EQ(refused.at("error"), "denied") << boost::json::serialize(refused);
  EXPECT_NE(std::string(refused.at("said").as_string()).find("restore allow"), std::string::npos);
  EXPECT_TRUE(report_of(job).at("exact").as_bool());
}

// bob's mailbox is read over that connection too.
TEST_F(RestoreInto, is_read_back_again_without_its_permit_over_the_connection_that_the_written_mailbox_is_read_over) {
  bob.connection = bobs_connection;
  ASSERT_TRUE(book->put_mailbox(bob, soon()));
  permits.read_as_well = bobs_connection;
  const std::string job(carry_out().at("restore").as_string());
  withdraw();
  const auto verified = [&] {
    const auto answer = ask({{"verb", "restore.verify"}, {"restore", job}});
    EXPECT_TRUE(answer.contains("restore")) << boost::json::serialize(answer);
    return report_of(job);
  };
  EXPECT_TRUE(verified().at("exact").as_bool());
  const Picture there = at_bobs();
  {
    const std::lock_guard lock(bobs.mutex);
    bobs.folders["Restored from ann@example_test/Archive/2026"].remove(1);
  }
  auto report = verified();
  EXPECT_FALSE(report.at("exact").as_bool());
  EXPECT_EQ(report.at("not_as_it_was").as_array().size(), 1U);
  EXPECT_FALSE(report.contains("failure"));
  EXPECT_EQ(at_bobs().at("Restored from ann@example_test/INBOX"), there.at("Restored from ann@example_test/INBOX"));
}

TEST_F(RestoreInto, what_another_account_has_changes_nothing_of_a_report) {
  bob.connection = bobs_connection;
  ASSERT_TRUE(book->put_mailbox(bob, soon()));
  const std::string job(carry_out().at("restore").as_string());
  auto known = report_of(job);
  withdraw();
  // brokerd knows that it is another account.
  const auto refused = ask({{"verb", "restore.verify"}, {"restore", job}});
  EXPECT_EQ(refused.at("error"), "denied") << boost::json::serialize(refused);
  EXPECT_NE(std::string(refused.at("said").as_string()).find("another account"), std::string::npos);
  EXPECT_EQ(report_of(job), known);
  // It does not, and nothing is found there: ann's mailbox instead of bob's.
  bob.connection = mailbox.connection;
  ASSERT_TRUE(book->put_mailbox(bob, soon()));
  permits.read_as_well = bobs_connection;
  EXPECT_TRUE(ask({{"verb", "restore.verify"}, {"restore", job}}).contains("restore"));
  auto report = report_of(job);
  for (const char* name : {"failure", "not_read_back"}) {
    const std::string why(report.at(name).as_string());
    for (const char* part : {"stays as it was", "nothing of it is there"}) EXPECT_NE(why.find(part), std::string::npos) << why;
    report.erase(name);
  }
  EXPECT_EQ(report, known);
}

TEST_F(RestoreInto, mailboxes_that_do_not_fit_are_refused_before_anybody_signs_and_after) {
  const auto check = [&](const std::string& into) {
    return ask({{"verb", "restore.check"}, {"mailbox", "ann@example.test"}, {"into_mailbox", into}});
  };
  const auto good = check("bob@example.test");
  EXPECT_EQ(good.at("connection").as_string(), bobs_connection.text()) << boost::json::serialize(good);
  EXPECT_EQ(good.at("at").as_string(), to_iso8601(now));
  EXPECT_EQ(check("nobody").at("error"), "not_found");
  EXPECT_EQ(check("ann@example.test").at("error"), "invalid_input") << "itself";
  const auto refused = [&](const char* what, const std::function<void(Mailbox&)>& change) {
    Mailbox other = bob;
    change(other);
    ASSERT_TRUE(book->put_mailbox(other, soon()));
    permits.permit.request.into = other.id;
    for (const auto& answer : {check(other.id.text()), carry_out()})
      EXPECT_NE(std::string(answer.at("said").as_string()).find(what), std::string::npos) << boost::json::serialize(answer);
  };
  refused("kind", [](Mailbox& other) { other.id = Id::random(), other.kind = mailboxes::MailboxKind::dav; });
  refused("no restore connection", [](Mailbox& other) { other.id = Id::random(), other.restore_connection = Id(); });
  refused("another tenant", [](Mailbox& other) { other.id = Id::random(), other.tenant = Id::random(); });
  EXPECT_EQ(at_bobs(), bobs_before);
}

TEST_F(RestoreInto, another_connection_than_the_signed_one_is_refused) {
  permits.permit.connection = Id::random();
  const auto answer = carry_out();
  EXPECT_EQ(answer.at("error"), "denied");
  EXPECT_EQ(at_bobs(), bobs_before);
}

TEST_F(RestoreInto, one_that_the_last_process_did_not_finish_is_taken_up) {
  const Id job = put_unfinished(request_into_bobs());
  start();
  EXPECT_EQ(report_of(job.text()).at("restored").to_number<int>(), 17);
  EXPECT_EQ(at_bobs()["Restored from ann@example_test/INBOX"], before["INBOX"]);
}

TEST_F(RestoreInto, one_is_taken_up_once_the_ledger_is_open) {
  permits.times_away = 2;
  const Id job = put_unfinished(request_into_bobs());
  start();
  EXPECT_EQ(report_of(job.text()).at("restored").to_number<int>(), 17);
  const std::lock_guard lock(permits.mutex);
  EXPECT_EQ(permits.begun, 3);
}

TEST_F(RestoreInto, one_whose_permit_ended_meanwhile_says_what_it_did_and_does_no_more) {
  sign_for_its_own_place();
  permits.permit.request.from = {"Archive"};
  {
    const std::lock_guard lock(server.mutex);
    server.folders["Archive/2026"].messages.clear();
    server.folders["INBOX"].messages.clear();
  }
  gate.sessions_left = 1;  // it is put back, and not read back
  const auto begun = ask({{"verb", "restore.carry-out"}, {"operation", permits.name}, {"dry_run", false}});
  for (int i = 0; i < 3000 && !gate.is_reached; ++i) std::this_thread::sleep_for(10ms);
  ASSERT_TRUE(gate.is_reached);
  backups.reset();
  const Picture then = at_server();
  withdraw();
  gate.sessions_left = 1000;
  start();
  const auto report = report_of(std::string(begun.at("restore").as_string()));
  const std::string failure(report.at("failure").as_string());
  for (const char* what : {"counts no more", "5 items had been put back, and were not read back", "mailhold restore start"})
    EXPECT_NE(failure.find(what), std::string::npos) << failure;
  EXPECT_EQ(report.at("restored").to_number<int>(), 5);
  EXPECT_FALSE(report.at("exact").as_bool());
  EXPECT_FALSE(report.contains("verified_at"));
  EXPECT_EQ(at_server(), then);
  const std::lock_guard lock(permits.mutex);
  ASSERT_EQ(permits.recorded.size(), 1U);
  EXPECT_EQ(permits.recorded[0].count(Outcome::restored), 5U);
  EXPECT_FALSE(permits.recorded[0].failure.empty());
}

TEST_F(RestoreInto, one_of_before_there_were_permits_for_all_is_not_gone_on_with) {
  const Id job = put_unfinished({.mailbox = mailbox.id, .as_of = now});
  start();
  EXPECT_NE(std::string(report_of(job.text()).at("failure").as_string()).find("mailhold restore start"), std::string::npos);
}

TEST_F(RestoreInto, a_report_comes_back_as_it_was_written) {
  RestoreReport report;
  report.request = permits.permit.request;
  report.request.place = "Restored from ann";
  const std::string bytes = write_report(report);
  const auto again = parse_report(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->request.into, bob.id);
  EXPECT_EQ(again->request.permit, "5f5f");
  EXPECT_EQ(write_report(*again), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(parse_report(bytes.substr(0, size))) << size;
}

TEST_F(RestoreInto, a_report_of_much_that_differs_is_shown_within_bounds_and_item_by_item) {
  RestoreReport report;
  report.request = permits.permit.request;
  report.is_over = true;
  for (int i = 0; i < 2'500; ++i) report.items.push_back({Id::random(), {"INBOX"}, "", Outcome::failed, "the server refuses it"});
  const Id job = Id::random();
  ASSERT_TRUE(book->put_restore(tenant, job, write_report(report), soon()));
  const auto shown = report_of(job.text());
  EXPECT_EQ(shown.at("not_as_it_was").as_array().size(), 1'000U);
  EXPECT_EQ(shown.at("not_as_it_was_in_all").to_number<int>(), 2'500);
  boost::json::object asked{{"verb", "restore.items"}, {"restore", job.text()}, {"outcome", "failed"}, {"limit", 1'000}};
  std::size_t items = 0;
  for (int pages = 0; pages < 5; ++pages) {
    const auto page = ask(asked);
    ASSERT_TRUE(page.contains("items")) << boost::json::serialize(page);
    items += page.at("items").as_array().size();
    if (!page.contains("after")) break;
    asked["after"] = page.at("after");
  }
  EXPECT_EQ(items, 2'500U);
  asked["restore"] = Id::random().text();
  EXPECT_EQ(ask(asked).at("error").as_string(), "not_found");
}

TEST(PlaceOf, is_a_name_that_every_server_can_give_to_a_folder) {
  Mailbox mailbox;
  mailbox.name = "alice@example.com";
  EXPECT_EQ(place_of(mailbox), "Restored from alice@example_com");
  mailbox.name = "a/b\\c*d%e\r\n\"Zoë\"";
  EXPECT_EQ(place_of(mailbox), "Restored from a_b_c_d_e___Zoë_");
  mailbox.name = std::string(320, 'x');
  EXPECT_LE(place_of(mailbox).size(), 140U);
}

}  // namespace
}  // namespace mailhold::recover
