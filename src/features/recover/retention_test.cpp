#include "features/recover/retention.h"

#include <algorithm>
#include <fstream>

#include "fakes/backup_rules.h"
#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

constexpr Milliseconds day = 86'400'000;

// brokerd, as far as retention asks it.
class RetentionTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill();
    ASSERT_TRUE(sync());
  }
  Expired run_at(Milliseconds time) {
    clock.set(time);
    Retention retention({*book, *store, rules, keys, clock, [this](Id) { return may_go; },
                         [this](Id, const std::vector<Id>& contents, const Deadline&) -> Status {
                           forgotten.insert(contents.begin(), contents.end());
                           return done();
                         }});
    const auto expired = retention.run(soon());
    EXPECT_TRUE(expired) << expired.error().detail;
    return expired ? *expired : Expired();
  }
  std::set<Id> forgotten;  // by the index
  Simulation simulate(std::uint32_t through) {
    Retention retention({*book, *store, rules, keys, clock});
    const auto simulation = retention.simulate(tenant, rules.keeping, through, soon());
    EXPECT_TRUE(simulation) << simulation.error().detail;
    return simulation ? *simulation : Simulation();
  }
  void keep_for(std::uint32_t days) { rules.keeping.rules = {{{}, 0, days}}; }
  void hold(access::Hold hold) {
    hold.id = Id::random();
    hold.name = "Case 7";
    hold.reason = "a court";
    rules.keeping.holds.push_back(std::move(hold));
  }
  // Contents of all versions that are left, and how many there are.
  std::multiset<std::string> versions_left() {
    std::multiset<std::string> left;
    for (const auto& row : *records->query("SELECT message FROM backup_items", {}, soon())) {
      const auto content = store->retrieve(tenant, Id::from_bytes(row[0].bytes()), soon());
      left.insert(content ? *content : "unreadable");
    }
    return left;
  }
  Id content_of(const std::string& content) {
    for (const auto& row : *records->query("SELECT message FROM backup_items", {}, soon())) {
      const Id message = Id::from_bytes(row[0].bytes());
      if (store->retrieve(tenant, message, soon()).value() == content) return message;
    }
    return {};
  }
  // Every wrap of a content and its parts, as its bytes lie in the records.
  std::vector<std::string> wraps_of(Id content) {
    std::vector<std::string> wraps;
    const auto rows = records->query(
        "SELECT w.wrap FROM store_names n JOIN store_uses u ON u.message = n.object JOIN store_wraps w ON w.object = u.part "
        "WHERE n.name = $1",
        {records::Value::bytes_of(content.bytes())}, soon());
    for (const auto& row : *rows) wraps.push_back(row[0].bytes());
    return wraps;
  }
  bool lies_in_the_records(const std::string& bytes) {
    for (const char* ending : {"", "-wal", "-shm"}) {
      std::ifstream file(settings.folder / ("backup.db" + std::string(ending)), std::ios::binary);
      const std::string all{std::istreambuf_iterator<char>(file), {}};
      if (all.find(bytes) != std::string::npos) return true;
    }
    return false;
  }

  TestRules rules;
  ManualClock clock{0};
  bool may_go = true;
};

TEST_F(RetentionTest, a_version_goes_so_many_days_after_it_left_the_mailbox) {
  server.folders["INBOX"].messages[1].date = "17-Jul-1996 02:44:25 -0700";  // its own age does not matter
  server.folders["INBOX"].remove(1);
  now += 50 * day;  // nor how long it was there
  ASSERT_TRUE(sync());
  const Milliseconds left_at = now;
  keep_for(30);
  EXPECT_EQ(run_at(left_at + 30 * day - 1).versions, 0U);
  EXPECT_EQ(versions_left().size(), 17U);
  const Expired expired = run_at(left_at + 30 * day);
  EXPECT_EQ(expired.versions, 1U);
  EXPECT_EQ(expired.contents, 1U);
  EXPECT_EQ(versions_left().size(), 16U);
  EXPECT_FALSE(versions_left().contains(letter("in 1")));
  EXPECT_FALSE(versions_left().contains("unreadable"));
  EXPECT_EQ(backed_up(now), at_server()) << "what is in the mailbox stays, however old it is";
  ASSERT_EQ(rules.reports.size(), 1U);
  EXPECT_EQ(rules.reports[0].first, "backup.expired");
}

TEST_F(RetentionTest, without_a_rule_and_without_brokerd_nothing_goes) {
  server.folders["INBOX"].messages.clear();
  ASSERT_TRUE(sync());
  EXPECT_EQ(run_at(now + 40'000 * day).versions, 0U);
  keep_for(1);
  rules.is_away = true;
  clock.set(now + 40'000 * day);
  Retention retention({*book, *store, rules, keys, clock});
  EXPECT_EQ(retention.run(soon()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(versions_left().size(), 17U);
}

TEST_F(RetentionTest, a_version_of_other_flags_goes_and_its_content_stays) {
  server.folders["INBOX"].mark(0, {"\\Flagged"});
  ASSERT_TRUE(sync());
  keep_for(1);
  const Expired expired = run_at(now + day);
  EXPECT_EQ(expired.versions, 1U);
  EXPECT_EQ(expired.contents, 0U);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(RetentionTest, a_hold_beats_retention_until_it_ends) {
  server.folders["INBOX"].messages.clear();
  server.folders["Archive/2026"].messages.clear();
  ASSERT_TRUE(sync());
  keep_for(1);
  const auto archive = book->folders_as_of(mailbox, now - 1, soon());
  std::vector<Id> some;
  for (const FolderRow& folder : *archive) {
    for (const ItemRow& item : *book->items_as_of(folder, now - 1, soon())) {
      if (some.size() < 3) some.push_back(item.id);
    }
  }
  hold({.mailboxes = {mailbox.id}, .items = some});
  EXPECT_EQ(run_at(now + 100 * day).versions, 14U);
  EXPECT_EQ(versions_left().size(), 3U);
  EXPECT_FALSE(versions_left().contains("unreadable"));
  rules.keeping.holds.clear();
  EXPECT_EQ(run_at(now + 100 * day).versions, 3U);
  EXPECT_TRUE(versions_left().empty());
}

TEST_F(RetentionTest, what_went_can_be_opened_by_no_copy_of_packs_and_keys) {
  const std::string attachment = base64_body(random_bytes(4000));
  const std::string alone = "Subject: alone\r\n\r\nbye\r\n" + attachment;
  const std::string other = "Subject: other\r\n\r\nstays\r\n" + attachment;
  const std::string own = "Subject: own\r\n\r\nbye\r\n" + base64_body(random_bytes(5000));
  for (const std::string& each : {alone, other, own}) server.folders["INBOX"].add(each);
  ASSERT_TRUE(sync());
  std::vector<std::string> wraps = wraps_of(content_of(own));
  EXPECT_GE(wraps.size(), 2U) << "the message and its attachment";
  for (const std::string& wrap : wraps) ASSERT_TRUE(lies_in_the_records(wrap));
  const Id alone_id = content_of(alone), own_id = content_of(own);
  auto& messages = server.folders["INBOX"].messages;
  for (std::size_t i = messages.size(); i-- > 0;) {
    if (messages[i].content == alone || messages[i].content == own) server.folders["INBOX"].remove(i);
  }
  ASSERT_TRUE(sync());
  keep_for(7);
  EXPECT_EQ(run_at(now + 7 * day).contents, 2U);
  for (const std::string& wrap : wraps) EXPECT_FALSE(lies_in_the_records(wrap));
  EXPECT_EQ(store->retrieve(tenant, own_id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->retrieve(tenant, alone_id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->retrieve(tenant, content_of(other), soon()).value(), other) << "with the part that both had";
  // The days' keys are all still there: only the wraps are gone.
  for (const std::string& content : versions_left()) EXPECT_NE(content, "unreadable");
}

// Bundles of two syncs; of each, one content is over, and a byte of the first one's is changed on the disk.
class DamagedBundle : public RetentionTest {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    sync_settings = {.step_items = 100, .batch_bytes = 1U << 20, .single_tries_max = 50};
    // Of 16 KiB chunks three.
    for (int i = 0; i < 12; ++i) server.folders["INBOX"].add(text(i), {"\\Seen"});
    ASSERT_TRUE(sync());
    for (int i = 0; i < 3; ++i) server.folders["INBOX"].add(letter("later " + std::to_string(i)));
    ASSERT_TRUE(sync());
    early = content_of(texts[1]);
    late = content_of(letter("later 1"));
    remove(texts[1]);
    remove(letter("later 1"));
    ASSERT_TRUE(sync());
    keep_for(7);
    damage();
  }
  std::string text(int number) {
    texts.push_back(letter("early " + std::to_string(number)) + to_hex(random_bytes(3500)) + "\r\n");
    return texts.back();
  }
  void remove(const std::string& content) {
    auto& inbox = server.folders["INBOX"];
    for (std::size_t i = inbox.messages.size(); i-- > 0;) {
      if (inbox.messages[i].content == content) inbox.remove(i);
    }
  }
  // The second time it is mended.
  void damage() {
    if (place.empty())
      place =
          (*records->query("SELECT w.segment, w.position, w.length FROM store_names n JOIN store_wraps w ON w.object = "
                           "n.object WHERE n.name = $1",
                           {records::Value::bytes_of(early.bytes())}, soon()))[0];
    const auto file = settings.folder / "packs" / segments::segment_file_name(static_cast<std::uint64_t>(place[0].number()));
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    const auto at = place[1].number() + place[2].number() / 2;
    stream.seekg(at);
    const char was = static_cast<char>(stream.get());
    stream.seekp(at);
    stream.put(static_cast<char>(was ^ 0x20));
  }
  void hold_what_is_there() {
    std::vector<Id> items;
    const auto folders = book->folders_as_of(mailbox, now, soon()).value();
    for (const FolderRow& folder : folders) {
      const auto there = book->items_as_of(folder, now, soon()).value();
      for (const ItemRow& item : there) items.push_back(item.id);
    }
    hold({.mailboxes = {mailbox.id}, .items = items});
  }
  std::vector<BackupBook::LostVersion> lost() { return book->lost_versions(mailbox, 100, soon()).value(); }

  std::vector<std::string> texts;
  Id early, late;
  records::Values place;
};

TEST_F(DamagedBundle, gives_up_what_is_over_and_what_cannot_be_read_is_named_until_it_is_over_too) {
  const Picture before = at_server();
  const Expired expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.contents, 2U);
  EXPECT_EQ(count("backup_leaving"), 0);
  EXPECT_EQ(store->retrieve(tenant, early, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->retrieve(tenant, late, soon()).error().kind, ErrorKind::not_found);
  EXPECT_GE(expired.lost, 1U);
  EXPECT_LE(expired.lost, 6U) << "what lies in a chunk of three, and over its ends";
  EXPECT_EQ(lost().size(), expired.lost);
  EXPECT_EQ(book->count_lost_items(soon()).value(), (std::map<Id, std::uint64_t>{{mailbox.id, expired.lost}}));
  std::multiset<std::string> unreadable;
  for (const std::string& content : versions_left()) {
    if (content == "unreadable") unreadable.insert(content);
  }
  EXPECT_EQ(unreadable.size(), expired.lost) << "all else was moved to a new bundle";
  for (const auto& each : lost()) {
    EXPECT_EQ(each.folder, (mailboxes::FolderPath{"INBOX"}));
    EXPECT_EQ(store->retrieve(tenant, each.version.message, soon()).error().kind, ErrorKind::not_found);
  }
  // It is named as often as somebody looks, and lost once.
  EXPECT_EQ(run_at(now + 8 * day).lost, 0U);
  EXPECT_EQ(lost().size(), expired.lost);
  // When the server gives one of them again it is kept again, and no longer missing.
  server.folders["INBOX"].uid_validity = 5'000;
  ASSERT_TRUE(sync());
  run_at(now + day);
  EXPECT_TRUE(lost().empty());
  EXPECT_EQ(backed_up(now), before);
}

TEST_F(DamagedBundle, names_what_is_lost_no_longer_when_its_own_time_is_over) {
  const Expired expired = run_at(now + 7 * day);
  ASSERT_GE(expired.lost, 1U);
  server.folders["INBOX"].messages.clear();
  ASSERT_TRUE(sync());
  EXPECT_EQ(run_at(now + 6 * day).versions, 0U);
  EXPECT_EQ(lost().size(), expired.lost);
  run_at(now + 7 * day);
  EXPECT_TRUE(lost().empty());
  EXPECT_TRUE(versions_left().empty());
  for (const char* table : {"backup_lost", "backup_leaving", "store_names", "store_wraps"}) EXPECT_EQ(count(table), 0) << table;
}

TEST_F(DamagedBundle, waits_while_a_hold_covers_what_cannot_be_read) {
  hold_what_is_there();
  Expired expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.contents, 1U) << "of the whole bundle";
  EXPECT_EQ(expired.waiting, 1U);
  EXPECT_EQ(expired.lost, 0U);
  EXPECT_EQ(count("backup_leaving"), 1);
  EXPECT_FALSE(lost().empty()) << "it is named all the same";
  // The bundle's bytes are brought back from a copy: nothing is lost.
  damage();
  expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.contents, 1U);
  EXPECT_EQ(expired.waiting, 0U);
  EXPECT_EQ(expired.lost, 0U);
  EXPECT_TRUE(lost().empty());
  EXPECT_EQ(store->retrieve(tenant, early, soon()).error().kind, ErrorKind::not_found);
  EXPECT_FALSE(versions_left().contains("unreadable"));
}

TEST_F(DamagedBundle, loses_nothing_that_is_over_anyway) {
  for (int i = 2; i < 10; ++i) remove(texts[static_cast<std::size_t>(i)]);
  ASSERT_TRUE(sync());
  const Picture before = at_server();
  hold_what_is_there();
  const Expired expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.contents, 10U);
  EXPECT_EQ(expired.lost, 0U);
  EXPECT_EQ(expired.waiting, 0U);
  EXPECT_TRUE(lost().empty());
  EXPECT_EQ(backed_up(now), before);
}

// A sync is about to name some of them, and then does not: they do not go with the others, and are no loss.
TEST_F(DamagedBundle, counts_no_loss_of_what_nothing_names) {
  for (int i = 2; i < 10; ++i) remove(texts[static_cast<std::size_t>(i)]);
  std::vector<Id> claimed;
  for (const auto& row : *records->query("SELECT name FROM store_names", {}, soon())) {
    const Id content = Id::from_bytes(row[0].bytes());
    const auto bytes = store->retrieve(tenant, content, soon());
    if (content != early && (!bytes || std::ranges::count(texts.begin() + 2, texts.begin() + 10, *bytes) > 0))
      claimed.push_back(content);
  }
  ASSERT_TRUE(sync());
  ContentClaims::Owner of_a_sync(book->claims());
  for (const Id& content : claimed) of_a_sync.add(content);
  const Expired expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.contents, 2U);
  EXPECT_EQ(expired.lost, 0U);
}

TEST_F(DamagedBundle, goes_when_the_hold_is_over) {
  hold_what_is_there();
  EXPECT_EQ(run_at(now + 7 * day).lost, 0U);
  rules.keeping.holds.clear();
  const Expired expired = run_at(now + 7 * day);
  EXPECT_GE(expired.lost, 1U);
  EXPECT_EQ(expired.contents, 1U);
}

// More than are looked at at once, each beside one that stays; their keys do not fit, as with another keystore.
TEST_F(RetentionTest, what_cannot_go_now_keeps_nothing_else_back) {
  sync_settings = {.step_items = 100, .batch_bytes = 1U << 20, .single_tries_max = 50};
  auto& folder = server.folders["Many"];
  for (int i = 0; i < 320; ++i) folder.add(letter("stuck " + std::to_string(i)));
  ASSERT_TRUE(sync());
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 2", {}, soon()));
  for (int i = 0; i < 40; ++i) folder.add(letter("free " + std::to_string(i)));
  ASSERT_TRUE(sync());
  for (std::size_t i = 360; i-- > 0;) {
    if (i % 4 != 0) folder.remove(i);
  }
  ASSERT_TRUE(sync());
  keep_for(7);
  Expired expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.waiting, 240U);
  EXPECT_EQ(expired.contents, 30U);
  EXPECT_EQ(expired.lost, 0U);
  EXPECT_EQ(count("backup_leaving"), 240);
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 1 WHERE key_version = 2", {}, soon()));
  expired = run_at(now + 7 * day);
  EXPECT_EQ(expired.waiting, 0U);
  EXPECT_EQ(expired.contents, 240U);
  EXPECT_EQ(count("backup_leaving"), 0);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(RetentionTest, the_words_of_what_goes_leave_the_index_first) {
  server.folders["Archive/2026"].messages.clear();
  ASSERT_TRUE(sync());
  keep_for(1);
  clock.set(now + 2 * day);
  Retention retention(
      {*book, *store, rules, keys, clock, [](Id) { return true; },
       [](Id, const std::vector<Id>&, const Deadline&) -> Status { return Error{ErrorKind::unavailable, "searchd is away"}; }});
  EXPECT_FALSE(retention.run(soon())) << "nothing is released whose words are still found";
  EXPECT_EQ(run_at(now + 2 * day).contents, 5U);
  EXPECT_EQ(forgotten.size(), 5U);
}

TEST_F(RetentionTest, the_same_content_elsewhere_stays) {
  server.folders["Archive/2026"].add(letter("in 3", 0));
  server.folders["INBOX"].add(letter("in 3", 0));
  ASSERT_TRUE(sync());
  server.folders["INBOX"].messages.clear();
  ASSERT_TRUE(sync());
  keep_for(1);
  run_at(now + day);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(RetentionTest, a_run_that_was_killed_between_its_steps_is_finished_by_the_next) {
  server.folders["INBOX"].remove(0);
  ASSERT_TRUE(sync());
  const Id content = content_of(versions_left().empty() ? "" : *versions_left().begin());
  ASSERT_FALSE(content.is_none());
  keep_for(1);
  // The rows went, and then the process did.
  const auto folders = book->all_folders(mailbox, soon());
  for (const FolderRow& folder : *folders) {
    const auto ended = book->ended_versions(folder, INT64_MAX, {}, 100, soon());
    ASSERT_TRUE(book->remove_versions(tenant, ended->versions, soon()));
  }
  open_all();
  EXPECT_EQ(count("backup_leaving"), 1);
  EXPECT_EQ(run_at(now + 2 * day).contents, 1U);
  EXPECT_EQ(count("backup_leaving"), 0);
  EXPECT_EQ(run_at(now + 2 * day).contents, 0U);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(RetentionTest, what_a_sync_is_about_to_name_is_left_alone) {
  const std::string content = letter("comes back");
  server.folders["INBOX"].add(content);
  ASSERT_TRUE(sync());
  const Id id = content_of(content);
  server.folders["INBOX"].remove(server.folders["INBOX"].messages.size() - 1);
  ASSERT_TRUE(sync());
  keep_for(1);
  {
    ContentClaims::Owner of_a_sync(book->claims());
    of_a_sync.add(id);
    EXPECT_EQ(run_at(now + day).contents, 0U);
    EXPECT_EQ(store->retrieve(tenant, id, soon()).value(), content);
  }
  EXPECT_EQ(run_at(now + day).contents, 1U);
}

TEST_F(RetentionTest, the_simulation_says_what_then_happens) {
  for (int round = 0; round < 6; ++round) {
    auto& inbox = server.folders["INBOX"];
    inbox.remove(0);
    inbox.mark(0, {"\\Seen", "$Round" + std::to_string(round)});
    inbox.add(letter("round " + std::to_string(round), round % 2 == 0 ? 3000 : 0));
    now += (round % 3) * day;
    ASSERT_TRUE(sync());
  }
  keep_for(3);
  hold({.from = *parse_iso8601("2020-01-01")});
  rules.keeping.holds[0].types = {3};  // holds nothing
  clock.set(now);
  const std::uint32_t today = day_of(now), last = today + 10;
  std::map<std::uint32_t, std::uint64_t> said, done_then;
  std::uint64_t bytes_said = 0, bytes_before = 0, bytes_after = 0;
  for (const auto& each : simulate(last).vanishing) {
    EXPECT_EQ(each.mailbox, mailbox.id);
    EXPECT_EQ(each.type, 1);
    said[each.day] += each.amount.versions;
    bytes_said += each.amount.bytes;
  }
  EXPECT_TRUE(simulate(last).held.empty());
  const auto bytes = [&] {
    std::uint64_t sum = 0;
    std::set<std::string> contents;
    for (const std::string& content : versions_left()) {
      if (contents.insert(content).second) sum += content.size();
    }
    return sum;
  };
  bytes_before = bytes();
  for (std::uint32_t each = today; each <= last; ++each) {
    const Expired expired = run_at(Milliseconds{each + 1} * day - 1);
    if (expired.versions > 0) done_then[each] += expired.versions;
  }
  bytes_after = bytes();
  EXPECT_GE(said.size(), 2U);
  EXPECT_EQ(said, done_then);
  EXPECT_EQ(bytes_said, bytes_before - bytes_after);
  EXPECT_TRUE(simulate(last + 100).vanishing.empty());
}

TEST_F(RetentionTest, the_simulation_names_the_hold_that_keeps_it) {
  server.folders["INBOX"].messages.clear();
  ASSERT_TRUE(sync());
  keep_for(5);
  hold({.mailboxes = {mailbox.id}});
  clock.set(now + 100 * day);
  const Simulation simulation = simulate(day_of(clock.now()));
  EXPECT_TRUE(simulation.vanishing.empty());
  ASSERT_EQ(simulation.held.size(), 1U);
  EXPECT_EQ(simulation.held[0].name, "Case 7");
  EXPECT_EQ(simulation.held[0].amount.items, 12U);
}

TEST_F(RetentionTest, a_folder_that_is_gone_loses_its_name_with_the_last_of_it) {
  server.folders.erase("Archive/2026");
  ASSERT_TRUE(sync());
  keep_for(10);
  EXPECT_EQ(run_at(now + 9 * day).folders, 0U);
  EXPECT_EQ(run_at(now + 10 * day).folders, 1U);
  EXPECT_EQ(book->all_folders(mailbox, soon())->size(), 1U);
}

TEST_F(RetentionTest, a_removed_mailbox_goes_whole_and_what_others_share_stays) {
  const Mailbox ann = mailbox;
  server.folders["Archive/2026"].messages.clear();
  ASSERT_TRUE(sync());
  RestoreReport report;
  report.request.mailbox = ann.id;
  ASSERT_TRUE(book->put_restore(tenant, Id::random(), write_report(report), soon()));
  mailbox.id = Id::random();
  mailbox.name = "bea@example.test";
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  server.folders["INBOX"].messages.resize(4);
  ASSERT_TRUE(sync());

  rules.keeping.removals = {{ann.id, now}};
  hold({.mailboxes = {ann.id}});
  EXPECT_EQ(run_at(now).mailboxes, 0U) << "a hold that came after the order";
  rules.keeping.holds.clear();
  may_go = false;
  EXPECT_EQ(run_at(now).mailboxes, 0U) << "it is being read";
  may_go = true;
  const Expired expired = run_at(now);
  EXPECT_EQ(expired.mailboxes, 1U);
  EXPECT_EQ(expired.contents, 13U);
  EXPECT_TRUE(rules.keeping.removals.empty()) << "the order is done";
  EXPECT_EQ(book->mailbox(ann.id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(book->restores(soon())->empty());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(versions_left().size(), 4U);
  // Ordered again by mistake: done already.
  rules.keeping.removals = {{ann.id, now}};
  EXPECT_EQ(run_at(now).mailboxes, 0U);
  EXPECT_TRUE(rules.keeping.removals.empty());
}

TEST_F(RetentionTest, reports_of_restores_go_when_they_are_old_whatever_else_is_kept) {
  const Id first = Id::random(), second = Id::random();
  ASSERT_TRUE(book->put_restore(tenant, first, "a report", soon()));
  EXPECT_EQ(run_at(now).reports, 0U);
  ASSERT_TRUE(book->put_restore(tenant, first, "the report at its end", soon()));
  ASSERT_TRUE(book->put_restore(tenant, second, "another one", soon()));
  EXPECT_EQ(run_at(now + (report_days_default - 1) * day).reports, 0U);
  EXPECT_EQ(run_at(now + report_days_default * day).reports, 1U);
  EXPECT_EQ(book->restore(first, soon()).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(book->restore(second, soon())) << "it was seen later";
  EXPECT_EQ(backed_up(now).at("INBOX").size(), 12U);
}

}  // namespace
}  // namespace mailhold::recover
