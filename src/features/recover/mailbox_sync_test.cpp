#include "features/recover/mailbox_sync.h"

#include <atomic>
#include <thread>

#include "base/bytes.h"
#include "corpora.h"
#include "fakes/recover_fixture.h"
#include "features/recover/content_keeper.h"

namespace mailhold::recover {
namespace {

class MailboxSyncTest : public RecoverFixture {
 protected:
  // Syncs of which each breaks off somewhere else, as long as there is something to break; how many did. After each the program
  // starts anew.
  std::size_t break_off_everywhere() {
    std::size_t broken = 0;
    for (std::int64_t bytes = 100; bytes < 14'000; bytes += 450) {
      server.faults.drop_after_bytes = bytes;
      if (!sync()) ++broken;
      open_all();  // what is not durable is gone
    }
    server.faults.drop_after_bytes = -1;
    return broken;
  }
};

TEST_F(MailboxSyncTest, takes_everything_and_then_nothing_twice) {
  fill();
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(progress.items_new, 17U);
  const std::int64_t rows = count("backup_items");
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.items_new + progress.items_changed + progress.items_gone, 0U);
  EXPECT_EQ(count("backup_items"), rows);
}

TEST_F(MailboxSyncTest, a_deletion_is_recorded_and_nothing_is_lost_by_it) {
  fill();
  ASSERT_TRUE(sync());
  const Milliseconds before = now;
  const Picture then = backed_up(before);
  server.folders["INBOX"].remove(3);
  server.folders.erase("Archive/2026");
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(before), then) << "the mailbox can still be seen and read as it was";
}

TEST_F(MailboxSyncTest, only_reads_from_the_source) {
  fill();
  ASSERT_TRUE(sync());
  server.folders["INBOX"].remove(0);
  ASSERT_TRUE(sync());
  for (const std::string& command : server.commands) {
    const std::string verb = command.substr(0, command.find(' '));
    EXPECT_TRUE(verb == "EXAMINE" || verb == "FETCH" || verb == "LIST" || verb == "ENABLE" || command.starts_with("UID FETCH"))
        << command;
    if (command.find("BODY") != std::string::npos)
      EXPECT_NE(command.find("BODY.PEEK[]"), std::string::npos) << "it would mark them as read";
  }
  for (const std::string& purpose : server.purposes) EXPECT_EQ(purpose, "backup.read");
}

TEST_F(MailboxSyncTest, flags_are_seen_as_they_were_at_each_moment) {
  fill(3, 0);
  ASSERT_TRUE(sync());
  const Milliseconds before = now;
  const Picture then = at_server();
  server.folders["INBOX"].mark(1, {"$Label1", "\\Flagged"});
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(before), then);
  EXPECT_EQ(progress.items_changed, 1U);
}

TEST_F(MailboxSyncTest, a_new_uid_validity_brings_everything_again_and_stores_nothing_again) {
  fill();
  ASSERT_TRUE(sync());
  const Milliseconds before = now;
  const std::int64_t objects = count("store_names");
  FakeFolder& inbox = server.folders["INBOX"];
  inbox.uid_validity = 77;
  for (FakeMessage& message : inbox.messages) message.uid = 500 + message.uid;
  inbox.uid_next = 600;
  inbox.add(letter("first of the new time"));
  const Picture then = backed_up(before);
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(before), then);
  EXPECT_EQ(count("store_names"), objects + 1);
}

TEST_F(MailboxSyncTest, goes_on_exactly_wherever_the_session_broke_off) {
  fill(9, 3);
  EXPECT_GT(break_off_everywhere(), 3U);
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

class LongFirstSyncTest : public MailboxSyncTest {
 protected:
  LongFirstSyncTest() {
    sync_settings.long_sync_items = 1;
    open_second = [this](const Deadline&) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
      auto second = session(false);
      if (second == nullptr) return Error{ErrorKind::unavailable, "no session"};
      return second;
    };
  }
};

TEST_F(LongFirstSyncTest, reads_two_folders_side_by_side) {
  fill(12, 12);
  server.folders["Sent"].add(letter("in 1"), {"\\Seen"});  // the content of another folder: one object
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(server.purposes.size(), 2U);
  EXPECT_EQ(progress.folders_done, 3U);
  EXPECT_EQ(progress.items_new, 25U);
  EXPECT_EQ(count("backup_items"), 25) << "no id is given twice";
  EXPECT_EQ(count("store_names"), 24 + 4) << "with the attachments";
  mailbox.synced_at = now;
  ASSERT_TRUE(sync());
  EXPECT_EQ(server.purposes.size(), 3U) << "only a first sync is long enough for it";
}

TEST_F(LongFirstSyncTest, goes_over_one_session_where_there_is_no_second) {
  fill();
  open_second = [](const Deadline&) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
    return Error{ErrorKind::denied, "one is enough"};
  };
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

// A session of which the test decides when it fetches, and whether it ends instead.
class WatchedSession final : public mailboxes::MailboxTarget {
 public:
  using Before = std::function<Status()>;
  WatchedSession(std::unique_ptr<mailboxes::MailboxTarget> session, Before before)
      : session_(std::move(session)), before_(std::move(before)) {}
  Result<std::vector<mailboxes::Folder>> folders(const Deadline& deadline) override { return session_->folders(deadline); }
  Result<mailboxes::Changes> changes(const mailboxes::Folder& folder, std::string_view mark, std::size_t limit,
                                     const Deadline& deadline) override {
    return session_->changes(folder, mark, limit, deadline);
  }
  Status fetch(const mailboxes::Folder& folder, const std::vector<std::string>& ids, const Sink& sink,
               const Deadline& deadline) override {
    RETURN_IF_ERROR(before_());
    return session_->fetch(folder, ids, sink, deadline);
  }
  Result<std::optional<std::uint64_t>> count(const mailboxes::Folder& folder, const Deadline& deadline) override {
    return session_->count(folder, deadline);
  }
  Result<std::vector<mailboxes::ItemHead>> list(const mailboxes::Folder& folder, const Deadline& deadline) override {
    return session_->list(folder, deadline);
  }
  Result<mailboxes::Folder> make_folder(const mailboxes::FolderPath&, const Deadline&) override { return only_reads(); }
  Result<std::string> add(const mailboxes::Folder&, const mailboxes::Item&, const Deadline&) override { return only_reads(); }
  Status set_flags(const mailboxes::Folder&, const std::string&, const std::vector<std::string>&, const Deadline&) override {
    return only_reads();
  }

 private:
  static Error only_reads() { return {ErrorKind::bug, "it only reads"}; }
  std::unique_ptr<mailboxes::MailboxTarget> session_;
  const Before before_;
};

// The second session reads one step of a folder, and ends in the next one; the first one waits for that at its first content, or
// has ended before.
class SecondSessionEnds : public LongFirstSyncTest {
 protected:
  Status sync_until_the_second_ends(const Error& how, const WantedRest* rest) {
    fill(12, 12);
    now += hour;
    std::atomic<int> steps = 0;
    const auto wait = [&]() -> Status {
      for (int i = 0; i < 1000 && steps < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return done();
    };
    const auto open = [&](const Deadline&) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
      const auto step = [&] { return ++steps < 2 ? done() : Status(how); };
      return std::unique_ptr<mailboxes::MailboxTarget>(std::make_unique<WatchedSession>(session(false), step));
    };
    WatchedSession first(session(false), wait);
    MailboxSync run({*book, *store, keys, first, open, rest}, mailbox, now, sync_settings, {});
    const Status status = run.run(soon());
    progress = run.progress();
    EXPECT_EQ(steps, 2);
    return status;
  }
};

TEST_F(SecondSessionEnds, and_the_first_reads_its_folder_to_the_end) {
  const Status synced = sync_until_the_second_ends(Error{ErrorKind::unavailable, "signed in elsewhere"}, nullptr);
  ASSERT_TRUE(synced) << synced.error().detail;
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(progress.items_new, 24U);
  EXPECT_EQ(progress.folders_done, 2U);
  EXPECT_EQ(count("backup_items"), 24) << "nothing is read twice";
}

TEST_F(SecondSessionEnds, and_so_does_the_sync_where_the_server_wants_rest_or_an_operator_must_look) {
  EXPECT_EQ(sync_until_the_second_ends(Error{ErrorKind::corrupt, "no IMAP"}, nullptr).error().kind, ErrorKind::corrupt);
  WantedRest rest;
  rest.hearer()(std::chrono::seconds(120));
  EXPECT_EQ(sync_until_the_second_ends(Error{ErrorKind::unavailable, "later"}, &rest).error().kind, ErrorKind::unavailable);
}

TEST_F(LongFirstSyncTest, goes_on_exactly_wherever_one_of_two_sessions_broke_off) {
  fill(9, 9);
  EXPECT_GT(break_off_everywhere(), 0U) << "the first, before a single line";
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(count("backup_items"), 18);
}

TEST_F(MailboxSyncTest, a_mark_is_never_ahead_of_what_is_kept) {
  fill(12, 0);
  // Each time the session ends somewhere else in the middle of the contents, and the next one must bring what is missing.
  for (std::int64_t bytes = 1500; bytes < 9000; bytes += 700) {
    server.faults.drop_after_bytes = bytes;
    (void)sync();
    const std::size_t kept = backed_up(now)["INBOX"].size();
    auto folders = book->folders_as_of(mailbox, now, soon());
    ASSERT_TRUE(folders);
    for (const FolderRow& folder : *folders) {
      if (!folder.mark.empty()) EXPECT_GE(kept, mailboxes::parse_mark(folder.mark).count) << bytes;
    }
  }
  server.faults.drop_after_bytes = -1;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, a_server_that_gives_little_at_a_time_gives_nothing_twice_and_is_come_to_an_end_with) {
  fill();
  sync_settings.step_items = 100;  // more than there is: no mark moves before the end of a folder
  std::size_t broken = 0;
  for (bool is_over = false; !is_over && broken < 20;) {
    server.faults.contents_until_pause = 3;
    const Status status = sync();
    server.finish_sessions();
    is_over = static_cast<bool>(status);
    if (is_over) break;
    ++broken;
    EXPECT_EQ(status.error().kind, ErrorKind::unavailable);
    EXPECT_NE(status.error().for_peer.find("throttled"), std::string::npos);
    EXPECT_EQ(progress.unreadable, 0U) << "what is given later is not unreadable";
    open_all();
  }
  EXPECT_EQ(broken, 5U) << "17 messages, three at a time";
  EXPECT_EQ(server.contents_given, 17U);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, what_is_kept_becomes_rows_before_its_mark) {
  fill();
  sync_settings = {.step_items = 100, .rows_at_once = 2, .batch_bytes = 1};
  now += hour;
  const auto source = session(false);
  std::set<std::uint64_t> counts;
  const auto look = [&](const SyncProgress&) {
    for (const FolderRow& folder : *book->folders_as_of(mailbox, now, soon())) {
      if (folder.mark.empty()) counts.insert(*book->count_items(folder.id, now, soon()));
    }
  };
  MailboxSync run({*book, *store, keys, *source}, mailbox, now, sync_settings, look);
  ASSERT_TRUE(run.run(soon()));
  EXPECT_GT(counts.size(), 2U) << "of a folder whose step was not over";
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, what_changed_and_was_not_told_whole_changes_with_the_next_sync) {
  fill();
  ASSERT_TRUE(sync());
  const Milliseconds then = now;
  const Picture before = at_server();
  server.folders["INBOX"].mark(2, {"\\Flagged"});
  server.folders["INBOX"].remove(5);
  for (int i = 0; i < 3; ++i) server.folders["INBOX"].add(letter("later " + std::to_string(i)));
  server.faults.contents_until_pause = 1;
  EXPECT_FALSE(sync());
  server.finish_sessions();
  EXPECT_EQ(backed_up(then), before);
  EXPECT_EQ(backed_up(now)["INBOX"].size(), 13U) << "one is there already; what went and changed waits";
  server.faults.contents_until_pause = -1;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(backed_up(then), before);
  EXPECT_EQ(progress.items_new, 2U);
}

TEST_F(MailboxSyncTest, a_server_that_lies_about_sizes_and_contents_is_not_believed) {
  fill();
  server.faults.lies_about_sizes = true;
  server.faults.sends_others_contents = true;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, a_literal_that_is_shorter_than_announced_is_never_kept) {
  fill(3, 0);
  server.faults.announces_too_much = true;
  session_settings.silence_max = std::chrono::milliseconds(300);
  (void)sync();
  const Picture meanwhile = backed_up(now);
  for (const auto& [name, contents] : meanwhile) {
    for (const auto& [content, flags] : contents) EXPECT_EQ(content.find("FETCH"), std::string::npos);
  }
  server.faults.announces_too_much = false;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, a_server_that_hides_changes_is_found_out_by_its_own_count) {
  fill();
  ASSERT_TRUE(sync());
  server.faults.hides_new = true;
  server.folders["INBOX"].remove(2);
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, what_cannot_be_read_is_named_hides_nothing_and_is_taken_later) {
  fill();
  server.faults.unreadable = {4};  // one in each folder
  server.faults.refused = {6};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 3U);
  EXPECT_EQ(backed_up(now)["INBOX"].size(), 10U);
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 3U);
  server.faults = {};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(MailboxSyncTest, what_is_too_large_is_named_and_not_fetched_again) {
  fill(2, 0);
  server.folders["INBOX"].add(std::string(20'000, 'x'));
  session_settings.limits.content_bytes_max = 10'000;
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.too_large, 1U);
  EXPECT_EQ(backed_up(now)["INBOX"].size(), 2U);
  server.commands.clear();
  ASSERT_TRUE(sync());
  for (const std::string& command : server.commands) EXPECT_EQ(command.find("BODY"), std::string::npos) << command;
}

TEST_F(MailboxSyncTest, a_message_in_two_folders_is_stored_once_and_lives_as_long_as_its_newest_use) {
  const std::string same = letter("the same", 3000);
  server.folders["INBOX"].add(same);
  ASSERT_TRUE(sync());
  const std::int64_t objects = count("store_names");
  now += 24 * hour;
  server.folders["Copies"].add(same);
  ASSERT_TRUE(sync());
  EXPECT_EQ(count("store_names"), objects);
  ASSERT_TRUE(store->expire_day(tenant, store::first_day, soon()));
  keys.destroyed.insert({tenant, store::first_day});
  const Picture after = backed_up(now);
  EXPECT_TRUE(after.at("INBOX").empty()) << "its day was forgotten";
  ASSERT_EQ(after.at("Copies").size(), 1U);
  EXPECT_EQ(after.at("Copies").begin()->first, same);
}

TEST_F(MailboxSyncTest, nothing_of_the_mailbox_stands_in_the_file) {
  server.folders["Geheime Akten"].add("Subject: planted subject\r\n\r\nplanted body of the letter\r\n", {"$PlantedFlag"});
  ASSERT_TRUE(sync());
  book.reset();
  store.reset();
  records.reset();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(settings.folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string bytes = read_whole_file(entry.path());
    for (const char* needle : {"planted", "Geheime", "PlantedFlag", "ann@example"})
      EXPECT_EQ(bytes.find(needle), std::string::npos) << entry.path() << needle;
  }
  open_all();
}

TEST_F(MailboxSyncTest, an_item_row_does_not_open_in_another_folder) {
  fill(1, 1);
  ASSERT_TRUE(sync());
  auto folders = book->folders_as_of(mailbox, now, soon());
  ASSERT_TRUE(folders);
  ASSERT_TRUE(records->execute("UPDATE backup_items SET folder = (SELECT number FROM backup_folders WHERE folder = $1)",
                               {records::Value::bytes_of(folders->front().id.bytes())}, soon()));
  auto items = book->items_as_of(folders->front(), now, soon());
  ASSERT_FALSE(items);
  EXPECT_EQ(items.error().kind, ErrorKind::corrupt);
}

TEST(BodiesByLines, finds_attachments_without_parsing_mime) {
  const std::string attachment = random_bytes(3000);
  std::string base64 = to_base64(attachment), body;
  for (std::size_t at = 0; at < base64.size(); at += 76) body += base64.substr(at, 76) + "\r\n";
  const std::string message =
      "Subject: x\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body + "--b--\r\n";
  const auto spans = bodies_by_lines(message);
  const auto found =
      std::find_if(spans.begin(), spans.end(), [](const auto& span) { return span.encoding == store::BodyEncoding::base64; });
  ASSERT_NE(found, spans.end());
  EXPECT_EQ(message.substr(found->offset, found->length), body);
}

TEST(BodiesByLines, leaves_small_text_with_its_header) {
  const std::string head = "Subject: x\r\n\r\n",
                    line = "seventy characters of text, or as many as there are in this line here\r\n";
  std::string text;
  while (text.size() < 8000) text += line;
  EXPECT_TRUE(bodies_by_lines(head + text).empty());
  text += line + line + line;
  const auto spans = bodies_by_lines(head + text);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].offset, head.size());
  EXPECT_EQ(spans[0].length, text.size());
}

TEST_F(MailboxSyncTest, ends_with_the_error_of_the_store_and_keeps_the_mark) {
  fill(12, 0);
  const std::pair<Id, store::Epoch> day(tenant, day_of(now + hour));
  keys.destroyed.insert(day);  // contents can't be wrapped
  ASSERT_FALSE(sync());
  keys.destroyed.erase(day);
  EXPECT_EQ(progress.items_new, 0U);
  EXPECT_EQ(count("backup_items"), 0);
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
}

TEST(SyncTime, what_is_left_follows_from_what_was_done) {
  using namespace std::chrono_literals;
  SyncProgress progress;
  progress.items_expected = 300;
  EXPECT_FALSE(time_left(progress)) << "nothing was measured yet";
  progress.items_new = 100;
  progress.elapsed = 50s;
  EXPECT_EQ(*time_left(progress), 100s);
  progress.items_new = 310;  // more came than were counted
  EXPECT_EQ(*time_left(progress), 0s);
  progress.items_expected = 0;
  EXPECT_FALSE(time_left(progress));
}

TEST_F(MailboxSyncTest, a_first_sync_knows_how_much_there_is_and_one_that_goes_on_how_much_is_left) {
  fill(20, 8);
  server.faults.drop_after_bytes = 5000;
  EXPECT_FALSE(sync());
  EXPECT_EQ(progress.items_expected, 28U);
  ASSERT_TRUE(sync());
  EXPECT_LT(progress.items_expected, 28U) << "what is kept already is not expected again";
  EXPECT_EQ(progress.items_new, progress.items_expected);
}

}  // namespace
}  // namespace mailhold::recover
