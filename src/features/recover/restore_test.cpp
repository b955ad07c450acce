#include "features/recover/restore.h"

#include <thread>

#include "fakes/recover_fixture.h"
#include "features/recover/read_back.h"
#include "features/recover/try_end.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

class RestoreTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill();
    server.folders["INBOX"].messages[2].date = "29-Feb-2024 23:59:59 +1345";
    server.folders["INBOX"].messages[3].flags = {"$Label1", "\\Answered", "\\Flagged"};
    ASSERT_TRUE(sync());
    before = at_server();
  }
  std::multiset<std::pair<std::string, std::string>> dates() {
    std::multiset<std::pair<std::string, std::string>> all;
    for (const auto& [name, folder] : server.folders)
      for (const FakeMessage& message : folder.messages) all.emplace(message.content, message.date);
    return all;
  }
  Picture before;
};

TEST_F(RestoreTest, a_destroyed_folder_comes_back_exactly) {
  const auto dates_before = dates();
  server.folders.erase("Archive/2026");
  server.folders["INBOX"].messages.clear();
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::restored), 17U);
  EXPECT_EQ(at_server(), before);
  EXPECT_EQ(dates(), dates_before) << "with the zone they were written in";
}

// Everything is read back by the session beside the ones that write, as far as it comes.
class RestoreReadBackTest : public RestoreTest {
 protected:
  RestoreReadBackTest() { read_back_items = 1; }
};

TEST_F(RestoreReadBackTest, nothing_is_read_twice) {
  server.folders.erase("Archive/2026");
  server.folders["INBOX"].messages.clear();
  server.contents_given = 0;
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server(), before);
  EXPECT_EQ(server.contents_given, 17U);
}

TEST_F(RestoreReadBackTest, a_byte_that_the_server_changed_is_named) {
  server.folders["INBOX"].remove(5);
  server.faults.damages_appended = true;
  const auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::differs), 1U);
}

TEST_F(RestoreReadBackTest, what_was_taken_is_read_while_more_is_to_come) {
  const auto owner = session(true);
  const auto folders = owner->folders(soon());
  ASSERT_TRUE(folders);
  const auto inbox = std::ranges::find(*folders, mailboxes::FolderPath{"INBOX"}, &mailboxes::Folder::path);
  const auto heads = owner->list(*inbox, soon());
  ASSERT_TRUE(heads);
  server.contents_given = 0;
  ReadBack read_back(restore_parts().open_target, 3, soon());
  const Id folder = Id::random();
  for (std::size_t i = 0; i < 4; ++i) read_back.give(folder, *inbox, (*heads)[i].id);
  const auto given = [&] {
    const std::lock_guard lock(server.mutex);
    return server.contents_given;
  };
  while (given() < 3) std::this_thread::yield();
  const auto read = read_back.finish();
  ASSERT_TRUE(read.contains(folder));
  EXPECT_GE(read.at(folder).size(), 3U);
  for (const auto& [id, sha256] : read.at(folder)) {
    const auto head = std::ranges::find(*heads, id, &mailboxes::ItemHead::id);
    ASSERT_NE(head, heads->end());
    EXPECT_EQ(sha256, crypto::sha256(server.folders["INBOX"].messages[static_cast<std::size_t>(head - heads->begin())].content));
  }
}

// A session that does not come about until somebody asks for its end.
Result<std::unique_ptr<mailboxes::MailboxTarget>> opened_never(const Deadline& deadline, std::atomic<bool>& was_told) {
  const Deadline at_most = Deadline::after(std::chrono::seconds(10));
  while (at_most.left().count() > 0 && !deadline.stop.stop_requested()) std::this_thread::yield();
  was_told = deadline.stop.stop_requested();
  return Error{ErrorKind::cancelled, "asked to stop"};
}

TEST_F(RestoreReadBackTest, ends_with_the_try) {
  TryEnd end(soon());
  std::atomic<bool> was_told = false, heard = false;
  ReadBack read_back([&](const Deadline& until) { return opened_never(until, was_told); }, 1, end.deadline(),
                     [&](const Error& error) { heard = error.kind == ErrorKind::cancelled; });
  read_back.give(Id::random(), {}, "1");
  end.fail(Error{ErrorKind::unavailable, "later"});
  EXPECT_TRUE(read_back.finish().empty());
  EXPECT_TRUE(was_told);
  EXPECT_TRUE(heard);
  ASSERT_TRUE(end.failure());
  EXPECT_EQ(end.failure()->detail, "later") << "the first one counts";
}

TEST_F(RestoreReadBackTest, what_the_server_says_to_it_ends_the_try) {
  server.folders["INBOX"].messages.clear();
  Restore::Parts parts = restore_parts();
  WantedRest rest;
  parts.rest = &rest;
  const auto own = std::this_thread::get_id();
  parts.open_target = [&,
                       open = parts.open_target](const Deadline& deadline) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
    if (std::this_thread::get_id() == own) return open(deadline);
    rest.hearer()(std::chrono::seconds(120));
    return Error{ErrorKind::unavailable, "read nothing for now"};
  };
  RestoreReport report;
  report.request = {.mailbox = mailbox.id, .as_of = now, .from = {"INBOX"}};
  const Status restored = Restore(parts).run(report, {}, soon());
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().detail, "read nothing for now");
}

TEST_F(RestoreTest, a_session_that_is_being_opened_keeps_no_failure_back) {
  server.folders["INBOX"].messages.clear();
  server.folders["Archive/2026"].messages.clear();
  server.faults.appends_until_pause = 2;
  Restore::Parts parts = restore_parts();
  const auto own = std::this_thread::get_id();
  std::atomic<bool> was_told = true;
  parts.open_target = [&, open = parts.open_target](const Deadline& deadline) {
    return std::this_thread::get_id() == own ? open(deadline) : opened_never(deadline, was_told);
  };
  RestoreReport report;
  report.request = {.mailbox = mailbox.id, .as_of = now};
  const Status restored = Restore(parts).run(report, {}, soon());
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(was_told);
}

TEST_F(RestoreTest, goes_over_one_session_where_there_is_no_other) {
  server.folders.erase("Archive/2026");
  server.folders["INBOX"].messages.clear();
  Restore::Parts parts = restore_parts();
  const auto own = std::this_thread::get_id();
  parts.open_target = [own,
                       open = parts.open_target](const Deadline& deadline) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
    if (std::this_thread::get_id() != own) return Error{ErrorKind::limit_exceeded, "no more sessions"};
    return open(deadline);
  };
  RestoreReport report;
  report.request.mailbox = mailbox.id;
  report.request.as_of = now;
  const Status restored = Restore(parts).run(report, {}, soon());
  ASSERT_TRUE(restored) << restored.error().detail;
  report.is_over = true;
  EXPECT_TRUE(report.is_exact());
  EXPECT_EQ(report.count(Outcome::restored), 17U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, only_what_is_missing_is_put_back_and_a_second_time_nothing) {
  server.folders["INBOX"].remove(3);
  server.folders["INBOX"].remove(3);
  auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::restored), 2U);
  EXPECT_EQ(report->count(Outcome::present), 15U);
  EXPECT_EQ(at_server(), before);
  report = restore();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::present), 17U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, two_equal_items_stay_two) {
  const std::string same = letter("twice");
  server.folders["INBOX"].add(same);
  server.folders["INBOX"].add(same);
  ASSERT_TRUE(sync());
  before = at_server();
  server.folders["INBOX"].messages.pop_back();
  ASSERT_TRUE(restore());
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, broken_off_anywhere_and_begun_again_it_puts_nothing_there_twice) {
  server.folders["INBOX"].messages.clear();
  server.faults.drops_after_append = true;
  EXPECT_FALSE(restore()) << "the server took a message and never said so";
  for (std::int64_t bytes = 300; bytes < 3000; bytes += 170) {
    server.faults.drop_after_bytes = bytes;
    (void)restore();
  }
  server.faults.drop_after_bytes = -1;
  const auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, what_was_taken_and_never_answered_is_counted_as_restored_by_the_next_try) {
  server.folders["INBOX"].messages.clear();
  server.faults.drops_after_append = true;
  const Restore::Parts parts = restore_parts();
  RestoreReport report;
  report.request = {.mailbox = mailbox.id, .as_of = now, .from = {"INBOX"}};
  EXPECT_FALSE(Restore(parts).run(report, {}, soon()));
  const Status restored = Restore(parts).run(report, {}, soon());
  ASSERT_TRUE(restored) << restored.error().detail;
  EXPECT_EQ(report.count(Outcome::restored), 12U);
  EXPECT_EQ(report.count(Outcome::present), 0U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, what_is_done_is_told_while_a_folder_is_still_worked_on) {
  for (int i = 0; i < 250; ++i) server.folders["INBOX"].add(letter("more " + std::to_string(i)));
  ASSERT_TRUE(sync());
  server.folders["INBOX"].messages.clear();
  RestoreReport report;
  report.request = {.mailbox = mailbox.id, .as_of = now, .from = {"INBOX"}};
  std::vector<std::size_t> told;
  ASSERT_TRUE(Restore(restore_parts()).run(report, [&] { told.push_back(report.items.size()); }, soon()));
  EXPECT_EQ(told, (std::vector<std::size_t>{100, 200, 262}));
}

// Tries until the server has given and taken all of it, a few items each time; how many that took. `between`: what happens to
// the report between two tries.
class ThrottledRestore : public RestoreTest {
 protected:
  int tries(RestoreReport& report, const std::function<void(Restore::Parts&)>& between) {
    Restore::Parts parts = restore_parts();
    for (int tried = 1; tried <= 40; ++tried) {
      server.faults.appends_until_pause = server.faults.contents_until_pause = 3;
      const std::uint64_t before = parts.memory->got_on;
      const Status restored = Restore(parts).run(report, {}, soon());
      server.finish_sessions();  // of what it still gets it takes nothing
      server.faults = {};
      if (restored) return tried;
      EXPECT_EQ(restored.error().kind, ErrorKind::unavailable);
      EXPECT_GT(parts.memory->got_on, before);
      between(parts);
    }
    return 0;
  }
  RestoreReport of_inbox() {
    RestoreReport report;
    report.request.mailbox = mailbox.id;
    report.request.as_of = now;
    report.request.from = {"INBOX"};
    server.contents_given = 0;
    return report;
  }
};

TEST_F(ThrottledRestore, goes_on_where_it_was_and_asks_for_nothing_twice) {
  server.folders["INBOX"].messages.clear();
  RestoreReport report = of_inbox();
  const int tried = tries(report, [](const auto&) {});
  EXPECT_GE(tried, 12 / 3 + 12 / 3 - 1);
  EXPECT_LE(tried, 12 / 3 + 12 / 3 + 1);
  report.is_over = true;
  EXPECT_TRUE(report.is_exact());
  EXPECT_EQ(report.count(Outcome::restored), 12U);
  EXPECT_EQ(at_server(), before);
  EXPECT_EQ(server.contents_given, 12U) << "each was read back once";
}

TEST_F(ThrottledRestore, goes_on_there_in_another_process_too) {
  server.folders["INBOX"].messages.clear();
  RestoreReport report = of_inbox();
  const int tried = tries(report, [&](Restore::Parts& parts) {
    report.waiting.since = 1;
    report = parse_report(write_report(report)).value();
    parts.memory = std::make_shared<RestoreMemory>();
  });
  EXPECT_GT(tried, 0);
  report.is_over = true;
  EXPECT_TRUE(report.is_exact());
  EXPECT_EQ(report.count(Outcome::restored), 12U);
  EXPECT_EQ(at_server(), before);
  EXPECT_EQ(server.contents_given, 12U);
}

TEST_F(ThrottledRestore, reads_what_is_there_once_to_compare_and_once_to_verify) {
  RestoreReport report = of_inbox();
  EXPECT_GT(tries(report, [](const auto&) {}), 0);
  EXPECT_EQ(report.count(Outcome::present), 12U);
  EXPECT_EQ(server.contents_given, 2 * 12U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(ThrottledRestore, puts_back_what_went_again_between_two_tries) {
  server.folders["INBOX"].messages.clear();
  RestoreReport report = of_inbox();
  bool went = false;
  EXPECT_GT(tries(report,
                  [&](const auto&) {
                    if (!std::exchange(went, true)) server.folders["INBOX"].remove(1);
                  }),
            0);
  report.is_over = true;
  EXPECT_TRUE(report.is_exact());
  EXPECT_EQ(at_server(), before);
}

class ThrottledPlainServer : public ThrottledRestore {
 protected:
  ThrottledPlainServer() { server.offer("IMAP4rev1"); }
};

TEST_F(ThrottledPlainServer, gets_nothing_twice_where_it_tells_no_ids) {
  server.folders["INBOX"].messages.clear();
  RestoreReport report = of_inbox();
  EXPECT_GT(tries(report, [](const auto&) {}), 0);
  report.is_over = true;
  EXPECT_TRUE(report.is_exact());
  EXPECT_EQ(report.count(Outcome::restored), 12U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, a_server_that_ignores_dates_is_named_and_gets_nothing_twice) {
  server.folders["INBOX"].messages.clear();
  server.faults.ignores_dates = true;
  auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::differs), 12U);
  for (const RestoredItem& item : report->items) EXPECT_EQ(item.detail, item.outcome == Outcome::differs ? "received date" : "");
  ASSERT_TRUE(restore());
  EXPECT_EQ(server.folders["INBOX"].messages.size(), 12U);
}

TEST_F(RestoreTest, a_dry_run_writes_nothing) {
  server.folders["INBOX"].remove(0);
  server.folders.erase("Archive/2026");
  const Picture now_there = at_server();
  const auto report = restore({.dry_run = true});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::would), 6U);
  EXPECT_EQ(report->count(Outcome::present), 11U);
  EXPECT_EQ(at_server(), now_there);
}

TEST_F(RestoreTest, brings_a_folder_as_it_was_at_a_moment_to_another_place) {
  const Milliseconds then = now;
  server.folders["Archive/2026"].messages.clear();
  server.folders["Archive/2026"].add(letter("of later"));
  ASSERT_TRUE(sync());
  const auto report = restore({.as_of = then, .from = {"Archive", "2026"}, .to = {"Restored", "of then"}});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server()["Restored/of then"], before["Archive/2026"]);
  EXPECT_EQ(server.folders["Archive/2026"].messages.size(), 1U);
}

TEST_F(RestoreTest, one_item_comes_alone) {
  auto folders = book->folders_as_of(mailbox, now, soon());
  ASSERT_TRUE(folders);
  auto items = book->items_as_of(folders->front(), now, soon());
  ASSERT_TRUE(items);
  const auto report = restore({.item = items->front().id, .to = {"One"}});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->items.size(), 1U);
  EXPECT_TRUE(report->is_exact());
}

TEST_F(RestoreTest, flags_of_what_is_there_are_set_only_when_asked) {
  server.folders["INBOX"].mark(3, {});
  auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_TRUE(server.folders["INBOX"].messages[3].flags.empty()) << "their owner's flags of today stay";
  report = restore({.overwrites = true});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::flags_set), 1U);
  EXPECT_EQ(at_server(), before);
}

TEST_F(RestoreTest, a_byte_that_the_server_changed_is_named) {
  server.folders["INBOX"].remove(5);
  server.faults.damages_appended = true;
  const auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::differs), 1U);
  const auto found =
      std::find_if(report->items.begin(), report->items.end(), [](const auto& item) { return item.outcome == Outcome::differs; });
  ASSERT_NE(found, report->items.end());
  EXPECT_EQ(found->detail, "content");
}

TEST_F(RestoreTest, a_later_verification_names_what_changed_since) {
  server.folders.erase("Archive/2026");
  auto report = restore({.from = {"Archive"}});
  ASSERT_TRUE(report);
  ASSERT_TRUE(report->is_exact());
  server.folders["Archive/2026"].messages[1].content[10] ^= 1;
  server.folders["Archive/2026"].remove(3);
  Restore again(restore_parts());
  ASSERT_TRUE(again.verify(*report, soon()));
  EXPECT_EQ(report->count(Outcome::differs), 2U);
  EXPECT_FALSE(report->is_exact());
}

TEST_F(RestoreTest, a_backup_that_does_not_open_is_a_failure_of_that_item_alone) {
  auto folders = book->folders_as_of(mailbox, now, soon());
  auto items = book->items_as_of(folders->front(), now, soon());
  ASSERT_TRUE(store->forget(tenant, items->front().message, soon()));
  server.folders.clear();
  server.folders["INBOX"];
  const auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::failed), 1U);
  EXPECT_EQ(report->count(Outcome::restored), 16U);
  EXPECT_FALSE(report->is_exact());
}

TEST_F(RestoreTest, what_differed_and_is_right_again_is_exact_again) {
  server.folders.erase("Archive/2026");
  auto report = restore({.from = {"Archive"}});
  ASSERT_TRUE(report);
  server.folders["Archive/2026"].messages[1].content[10] ^= 1;
  Restore again(restore_parts());
  ASSERT_TRUE(again.verify(*report, soon()));
  EXPECT_FALSE(report->is_exact());
  server.folders["Archive/2026"].messages[1].content[10] ^= 1;
  ASSERT_TRUE(again.verify(*report, soon()));
  EXPECT_TRUE(report->is_exact());
}

TEST_F(RestoreTest, before_the_first_backup_there_is_nothing_to_restore) {
  const auto report = restore({.as_of = now - 48 * hour});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::not_found);
}

TEST_F(RestoreTest, a_report_is_kept_and_read_again) {
  auto report = restore({.as_of = now, .from = {"a/b"}, .to = {"c"}, .dry_run = true});
  EXPECT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::not_found);
  report = restore({.to = {"Other"}});
  ASSERT_TRUE(report);
  const auto again = parse_report(write_report(*report));
  ASSERT_TRUE(again);
  EXPECT_EQ(write_report(*again), write_report(*report));
  EXPECT_FALSE(parse_report("nonsense"));
  // One that waits says so to the next process.
  report->waiting = {now + 1, now, "the server of ann@example.test", "the server says later"};
  report->only_verifies = true;
  report->items[3].is_read_back = true;
  const auto waiting = parse_report(write_report(*report));
  ASSERT_TRUE(waiting);
  EXPECT_EQ(write_report(*waiting), write_report(*report));
  EXPECT_EQ(waiting->waiting.until, now + 1);
  EXPECT_TRUE(waiting->only_verifies);
  EXPECT_TRUE(waiting->items[3].is_read_back);
  EXPECT_FALSE(waiting->items[4].is_read_back);
}

class RestoreToAPlainServer : public RestoreTest {
 protected:
  RestoreToAPlainServer() { server.offer("IMAP4rev1"); }
};

TEST_F(RestoreToAPlainServer, works_without_any_extension) {
  server.folders["INBOX"].messages.clear();
  server.folders.erase("Archive/2026");
  const auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server(), before);
}

}  // namespace
}  // namespace mailhold::recover
