#include "features/recover/check_verbs.h"

#include <boost/json.hpp>
#include <condition_variable>
#include <fstream>

#include "base/log.h"
#include "fakes/passing_store.h"
#include "fakes/recover_fixture.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A mailbox of letters in bundles, large enough that a changed byte costs a few of them and not all.
class CheckTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    sync_settings = {.step_items = 100, .batch_bytes = 1U << 20, .single_tries_max = 50};
    for (int i = 0; i < 12; ++i)
      server.folders["INBOX"].add(letter("in " + std::to_string(i)) + to_hex(random_bytes(3500)) + "\r\n", {"\\Seen"});
    for (int i = 0; i < 3; ++i) server.folders["Archive/2026"].add(letter("old " + std::to_string(i), 20'000), {});
    ASSERT_TRUE(sync());
  }
  CheckReport check(CheckRequest request = {}) {
    ManualClock clock(now + hour);
    Check one({*book, *store, keys, clock}, request, [](const CheckReport&) {});
    const Status status = one.run(soon());
    EXPECT_TRUE(status) << status.error().detail;
    CheckReport report = one.report();
    report.is_over = true;
    return report;
  }
  // What it found, as a line.
  static std::string line(const CheckReport& report) {
    return std::to_string(report.contents) + " contents, " + std::to_string(report.damaged) + " damaged, " +
           std::to_string(report.unjudged) + " not judged, " + std::to_string(report.rows) + " rows";
  }
  Id content_of(const std::string& text) { return (*ContentIds::of(tenant, keys, soon()))->id_of(crypto::sha256(text)); }
  records::Values place_of(Id content) {
    return (
        *records->query("SELECT w.segment, w.position, w.length FROM store_names n JOIN store_wraps w ON w.object = n.object "
                        "WHERE n.name = $1",
                        {records::Value::bytes_of(content.bytes())}, soon()))[0];
  }
  fs::path file_of(const records::Values& place) {
    return settings.folder / "packs" / segments::segment_file_name(static_cast<std::uint64_t>(place[0].number()));
  }
  // A byte in the middle of it; the second time it is mended.
  void damage(const records::Values& place) {
    std::fstream stream(file_of(place), std::ios::binary | std::ios::in | std::ios::out);
    const auto at = place[1].number() + place[2].number() / 2;
    stream.seekg(at);
    const char was = static_cast<char>(stream.get());
    stream.seekp(at);
    stream.put(static_cast<char>(was ^ 0x20));
  }
  std::vector<BackupBook::LostVersion> lost() { return book->lost_versions(mailbox, 100, soon()).value(); }
  std::string first() { return server.folders["INBOX"].messages[0].content; }
};

TEST_F(CheckTest, what_is_whole_is_read_once_and_counted) {
  std::uint64_t bytes = 0;
  for (const auto& [name, folder] : server.folders) {
    for (const FakeMessage& message : folder.messages) bytes += message.content.size();
  }
  server.folders["INBOX"].mark(0, {"\\Flagged"});
  server.folders["Archive/2026"].add(first());  // the same content once more
  ASSERT_TRUE(sync());
  const CheckReport report = check();
  EXPECT_EQ(line(report), "15 contents, 0 damaged, 0 not judged, 0 rows");
  EXPECT_TRUE(report.is_clean());
  EXPECT_EQ(report.bytes, bytes);
  EXPECT_EQ(report.versions, 17U);
  EXPECT_EQ(report.versions_expected, 17U);
  EXPECT_TRUE(report.findings.empty());
  EXPECT_FALSE(report.places_set);
  EXPECT_EQ(check({.mailbox = mailbox.id}).contents, 15U);
  EXPECT_EQ(check({.tenant = tenant}).contents, 15U);
  EXPECT_EQ(check({.tenant = Id::random()}).contents, 0U);
}

TEST_F(CheckTest, what_is_damaged_is_named_and_noted_until_it_can_be_read_again) {
  const auto place = place_of(content_of(first()));
  damage(place);
  const CheckReport report = check();
  EXPECT_EQ(report.contents, 15U);
  EXPECT_FALSE(report.is_clean());
  ASSERT_GE(report.damaged, 1U);
  EXPECT_LE(report.damaged, 6U) << "what lies in a chunk of three, and over its ends";
  EXPECT_EQ(report.unjudged + report.rows, 0U);
  EXPECT_EQ(lost().size(), report.damaged);
  EXPECT_EQ(book->count_lost_items(soon()).value(), (std::map<Id, std::uint64_t>{{mailbox.id, report.damaged}}));
  ASSERT_EQ(report.findings.size(), report.damaged);
  std::set<Id> named, noted;
  for (const CheckFinding& each : report.findings) {
    EXPECT_EQ(each.verdict, Verdict::damaged);
    EXPECT_EQ(each.mailbox, mailbox.id);
    EXPECT_EQ(each.folder, (mailboxes::FolderPath{"INBOX"}));
    named.insert(each.item);
  }
  for (const auto& each : lost()) noted.insert(each.version.id);
  EXPECT_EQ(named, noted);
  // What is not named is put back whole.
  server.folders["INBOX"].messages.clear();
  const auto restored = restore();
  ASSERT_TRUE(restored) << restored.error().detail;
  EXPECT_EQ(restored->count(Outcome::restored), 12 - report.damaged);
  EXPECT_EQ(restored->count(Outcome::failed), report.damaged);
  EXPECT_EQ(check().damaged, report.damaged) << "as often as somebody looks";
  damage(place);
  const CheckReport mended = check();
  EXPECT_TRUE(mended.is_clean());
  EXPECT_EQ(mended.readable_again, report.damaged);
  EXPECT_TRUE(lost().empty());
}

TEST_F(CheckTest, what_is_damaged_is_kept_anew_when_the_server_gives_it_once_more) {
  damage(place_of(content_of(first())));
  const std::uint64_t damaged = check().damaged;
  ASSERT_GE(damaged, 1U);
  const Picture before = at_server();
  mailbox.id = Id::random();
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), before);
  const CheckReport report = check();
  EXPECT_TRUE(report.is_clean()) << line(report);
  EXPECT_EQ(report.readable_again, damaged);
}

TEST_F(CheckTest, a_damaged_neighbour_keeps_one_content_from_being_kept_anew_and_nothing_else) {
  const auto place = place_of(content_of(first()));
  damage(place);
  ASSERT_GE(check().damaged, 2U);
  const auto is_damaged = [&](const FakeMessage& each) { return !store->retrieve(tenant, content_of(each.content), soon()); };
  const std::string damaged = std::ranges::find_if(server.folders["INBOX"].messages, is_damaged)->content;
  server.folders["INBOX"].messages.clear();
  server.folders.erase("Archive/2026");
  server.folders["INBOX"].add(damaged);
  server.folders["INBOX"].add(letter("another"));
  mailbox.id = Id::random();
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(sync()) << "also when it is asked for again";
    EXPECT_EQ(progress.not_kept, 1U);
    EXPECT_EQ(progress.unreadable, 0U);
    ASSERT_EQ(progress.troubles.size(), 1U);
    EXPECT_NE(progress.troubles[0].why.find("has 1 items that are not in the backup"), std::string::npos);
    EXPECT_EQ(backed_up(now)["INBOX"].size(), 1U);
  }
  damage(place);
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.not_kept, 0U);
  EXPECT_TRUE(progress.troubles.empty());
  EXPECT_EQ(backed_up(now), at_server());
}

// Two mailboxes have two messages each with one attachment.
TEST_F(CheckTest, a_damaged_part_names_every_message_with_it) {
  const std::string attachment = base64_body(random_bytes(20'000));
  for (const char* subject : {"one", "two"})
    server.folders["INBOX"].add("Subject: " + std::string(subject) + "\r\n\r\nHello\r\n" + attachment);
  ASSERT_TRUE(sync());
  const Id first_mailbox = mailbox.id;
  mailbox.id = Id::random();
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  server.folders.erase("Archive/2026");
  ASSERT_TRUE(sync());
  // The last part that was written.
  const auto part = *records->query(
      "SELECT w.segment, w.position, w.length FROM store_uses u JOIN store_wraps w ON w.object = u.part WHERE u.part <> "
      "u.message "
      "ORDER BY w.position DESC LIMIT 1",
      {}, soon());
  damage(part[0]);
  const CheckReport report = check();
  EXPECT_EQ(line(report), "17 contents, 2 damaged, 0 not judged, 0 rows");
  ASSERT_EQ(report.findings.size(), 4U);
  EXPECT_EQ(std::count_if(report.findings.begin(), report.findings.end(),
                          [&](const CheckFinding& each) { return each.mailbox == first_mailbox; }),
            2);
  EXPECT_EQ(book->count_lost_items(soon()).value(), (std::map<Id, std::uint64_t>{{first_mailbox, 2}, {mailbox.id, 2}}));
  EXPECT_EQ(check({.mailbox = mailbox.id}).contents, 14U);
}

TEST_F(CheckTest, a_damaged_part_is_kept_anew_with_whatever_comes_with_it) {
  const std::string attachment = base64_body(random_bytes(20'000));
  const auto add = [&](const std::string& subject) {
    server.folders["INBOX"].add("Subject: " + subject + "\r\n\r\nHello\r\n" + attachment);
    ASSERT_TRUE(sync());
  };
  add("one");
  const auto part = *records->query(
      "SELECT w.segment, w.position, w.length FROM store_uses u JOIN store_wraps w ON w.object = u.part WHERE u.part <> "
      "u.message ORDER BY w.position DESC LIMIT 1",
      {}, soon());
  damage(part[0]);
  EXPECT_EQ(line(check()), "16 contents, 1 damaged, 0 not judged, 0 rows");
  add("another with it");
  EXPECT_EQ(line(check()), "17 contents, 1 damaged, 0 not judged, 0 rows");
  // The server gives the damaged one once more.
  const Picture before = at_server();
  mailbox.id = Id::random();
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), before);
  const CheckReport report = check();
  EXPECT_TRUE(report.is_clean()) << line(report);
  EXPECT_EQ(report.readable_again, 1U);
  EXPECT_TRUE(lost().empty());
}

TEST_F(CheckTest, what_cannot_be_judged_is_no_damage) {
  const auto nothing_is_judged = [&](const std::string& what_to_do) {
    const CheckReport report = check();
    EXPECT_EQ(line(report), "15 contents, 0 damaged, 15 not judged, 0 rows");
    EXPECT_FALSE(report.is_clean());
    EXPECT_TRUE(lost().empty());
    EXPECT_EQ(count("backup_lost"), 0);
    ASSERT_EQ(report.findings.size(), 15U);
    for (const CheckFinding& each : report.findings) {
      EXPECT_EQ(each.verdict, Verdict::unjudged);
      EXPECT_NE(each.what.find(what_to_do), std::string::npos) << each.what;
    }
  };
  const fs::path file = file_of(place_of(content_of(first())));
  fs::rename(file, file.string() + ".away");
  open_all();
  nothing_is_judged("mount packs/");
  fs::rename(file.string() + ".away", file);
  open_all();
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 2", {}, soon()));
  nothing_is_judged("put back the keystore");
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 1", {}, soon()));
  // The records are an older copy than the packs.
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET position = position + 3", {}, soon()));
  nothing_is_judged("--set-places");
  const CheckReport mended = check({.sets_places = true});
  EXPECT_TRUE(mended.is_clean()) << line(mended);
  EXPECT_GE(mended.places_set.value(), 2U);
  ASSERT_TRUE(records->execute("DELETE FROM store_wraps", {}, soon()));
  nothing_is_judged("backup.db");
}

TEST_F(CheckTest, another_content_than_its_row_says_is_damage) {
  const Id content = content_of(first());
  ASSERT_TRUE(store->release(tenant, {content}, soon()));
  ASSERT_TRUE(store->keep({{tenant, content, now, "something else", {}}}, soon()));
  EXPECT_EQ(line(check()), "15 contents, 1 damaged, 0 not judged, 0 rows");
  EXPECT_EQ(lost().size(), 1U);
  // Also where its row does not open: then by its name.
  ASSERT_TRUE(records->execute("UPDATE backup_items SET sealed = $2 WHERE message = $1",
                               {records::Value::bytes_of(content.bytes()), records::Value::bytes_of(std::string(80, 'x'))},
                               soon()));
  EXPECT_EQ(line(check()), "15 contents, 1 damaged, 0 not judged, 1 rows");
}

TEST_F(CheckTest, a_row_that_does_not_open_is_named_and_its_content_is_judged_by_its_name) {
  const Id content = content_of(first());
  ASSERT_TRUE(records->execute("UPDATE backup_items SET sealed = $2 WHERE message = $1",
                               {records::Value::bytes_of(content.bytes()), records::Value::bytes_of(std::string(80, 'x'))},
                               soon()));
  const CheckReport report = check();
  EXPECT_EQ(line(report), "15 contents, 0 damaged, 0 not judged, 1 rows");
  EXPECT_FALSE(report.is_clean());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].verdict, Verdict::row);
  EXPECT_FALSE(report.findings[0].item.is_none());
  ASSERT_TRUE(
      records->execute("UPDATE backup_folders SET sealed = $1", {records::Value::bytes_of(std::string(80, 'x'))}, soon()));
  EXPECT_EQ(line(check()), "15 contents, 0 damaged, 0 not judged, 2 rows");
}

// Neither is calm: nothing of a mailbox was looked at where its row does not open, or its keys are gone.
TEST_F(CheckTest, a_mailbox_whose_row_or_keys_are_gone_is_told) {
  const std::string sealed = (*records->query("SELECT sealed FROM backup_mailboxes", {}, soon()))[0][0].bytes();
  const auto put = [&](const std::string& row) {
    ASSERT_TRUE(records->execute("UPDATE backup_mailboxes SET sealed = $1", {records::Value::bytes_of(row)}, soon()));
  };
  put(std::string(sealed.size(), 'x'));
  EXPECT_EQ(line(check()), "15 contents, 0 damaged, 0 not judged, 1 rows");
  put(sealed);
  // A tenant that was removed is no trouble of the others, unless it is asked for.
  Mailbox other = mailbox;
  other.id = Id::random();
  other.tenant = Id::random();
  ASSERT_TRUE(book->put_mailbox(other, soon()));
  keys.destroyed = {{other.tenant, 0}};
  CheckReport report = check();
  EXPECT_TRUE(report.is_clean()) << line(report);
  EXPECT_EQ(report.without_keys, 1U);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].mailbox, other.id);
  EXPECT_FALSE(check({.tenant = other.tenant}).is_clean());
  EXPECT_FALSE(check({.mailbox = other.id}).is_clean());
  keys.destroyed.insert({tenant, 0});
  report = check();
  EXPECT_FALSE(report.is_clean()) << "the keystore is another one";
  EXPECT_EQ(report.without_keys, 2U);
}

// A store that lets somebody do something between the question for the versions and the reading of their contents.
class InterruptedStore final : public store::PassingStore {
 public:
  InterruptedStore(store::MessageStore& store, std::function<void()> meanwhile)
      : PassingStore(store), meanwhile_(std::move(meanwhile)) {}
  Status inspect(Id tenant, const std::vector<Id>& messages, const IsOf& is_of, const Found& found,
                 const Deadline& deadline) override {
    meanwhile_();
    return PassingStore::inspect(tenant, messages, is_of, found, deadline);
  }

 private:
  const std::function<void()> meanwhile_;
};

TEST_F(CheckTest, a_mailbox_that_is_removed_in_the_middle_leaves_nothing_behind) {
  const auto remove = [this] {
    std::vector<Id> contents;
    for (const auto& row : *records->query("SELECT DISTINCT message FROM backup_items", {}, soon()))
      contents.push_back(Id::from_bytes(row[0].bytes()));
    const auto folders = book->all_folders(mailbox, soon()).value();
    for (const FolderRow& folder : folders) {
      ASSERT_TRUE(book->remove_some_versions(folder, 1000, soon()));
      ASSERT_TRUE(book->remove_folder(folder, soon()));
    }
    ASSERT_TRUE(store->release(tenant, contents, soon()));
    ASSERT_TRUE(book->remove_mailbox(mailbox.id, {}, soon()));
  };
  InterruptedStore interrupted(*store, remove);
  ManualClock clock(now + hour);
  Check one({*book, interrupted, keys, clock}, {}, [](const CheckReport&) {});
  ASSERT_TRUE(one.run(soon()));
  EXPECT_EQ(line(one.report()), "0 contents, 0 damaged, 0 not judged, 0 rows");
  EXPECT_EQ(count("backup_lost"), 0);
}

// Nobody learns the time until it is told.
class HeldClock final : public Clock {
 public:
  Milliseconds now() const override {
    std::unique_lock lock(mutex_);
    told_.wait(lock, [this] { return is_told_; });
    return 1'900'000'000'000;
  }
  void tell() {
    {
      const std::lock_guard lock(mutex_);
      is_told_ = true;
    }
    told_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable told_;
  bool is_told_ = false;
};

TEST_F(CheckTest, one_is_made_at_a_time_and_its_report_can_be_asked_for) {
  HeldClock clock;
  Checks checks({*book, *store, keys, clock});
  const auto ask = [&](boost::json::object request) -> boost::json::object {
    const auto answer = CheckVerbs(checks, *book).answer(boost::json::serialize(request), soon());
    if (!answer) return {{"error", std::string(mailhold::name_of(answer.error().kind))}, {"said", answer.error().detail}};
    return boost::json::parse(*answer).as_object();
  };
  EXPECT_TRUE(CheckVerbs::knows("backup.check"));
  EXPECT_FALSE(CheckVerbs::knows("backup.find"));
  EXPECT_EQ(ask({{"verb", "backup.check"}, {"mailbox", "nobody"}}).at("error"), "not_found");
  EXPECT_EQ(ask({{"verb", "backup.check"}, {"mailbox", mailbox.name}, {"tenant", Id::random().text()}}).at("error"), "not_found");
  const auto begun = ask({{"verb", "backup.check"}, {"mailbox", mailbox.name}});
  ASSERT_TRUE(begun.contains("check")) << boost::json::serialize(begun);
  EXPECT_EQ(ask({{"verb", "backup.check"}}).at("error"), "denied");
  const boost::json::object question{{"verb", "backup.check-report"}, {"check", begun.at("check")}};
  EXPECT_FALSE(ask(question).at("over").as_bool());
  clock.tell();
  boost::json::object report = ask(question);
  for (int i = 0; i < 3000 && !report.at("over").as_bool(); ++i) {
    std::this_thread::sleep_for(10ms);
    report = ask(question);
  }
  EXPECT_TRUE(report.at("clean").as_bool()) << boost::json::serialize(report);
  EXPECT_EQ(report.at("contents").to_number<int>(), 15);
  EXPECT_FALSE(report.contains("failure"));
  // The next one.
  EXPECT_TRUE(ask({{"verb", "backup.check"}, {"set_places", true}}).contains("check"));
  EXPECT_EQ(ask(question).at("error"), "not_found");
  checks.stop();
  EXPECT_EQ(ask({{"verb", "backup.check"}}).at("error"), "unavailable");
}

TEST_F(CheckTest, what_keeps_it_from_its_end_is_said_and_what_it_found_stands) {
  keys.away = true;
  ManualClock clock(now + hour);
  Check without_keys({*book, *store, keys, clock}, {.mailbox = mailbox.id}, [](const CheckReport&) {});
  EXPECT_EQ(without_keys.run(soon()).error().kind, ErrorKind::unavailable);
  keys.away = false;
  std::stop_source stop;
  stop.request_stop();
  Check stopped({*book, *store, keys, clock}, {}, [](const CheckReport&) {});
  EXPECT_EQ(stopped.run(Deadline::after(10s, stop.get_token())).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(stopped.report().contents, 0U);
}

}  // namespace
}  // namespace mailhold::recover
