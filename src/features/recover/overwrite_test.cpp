// Restores that overwrite: events and contacts that changed under their names get their content of then, and nothing is lost by
// it.
#include <boost/json.hpp>

#include "fakes/dav_recover_fixture.h"
#include "features/recover/restore_items.h"

namespace mailhold::recover {
namespace {

class OverwriteTest : public DavRecoverTest {
 protected:
  void SetUp() override {
    DavRecoverTest::SetUp();
    dav.ways.has_unique_uids = true;
    ASSERT_TRUE(sync());
    then = now;
    before = there();
    work().put("e5.ics", later("e5"));
    friends().put("c2.vcf", contact("c2 of later"));
  }
  static std::string later(const std::string& uid) {
    std::string content = event(uid);
    return content.replace(content.find("WEEKLY"), 6, "DAILY");
  }
  Result<RestoreReport> overwrite(bool dry_run = false) {
    return restore({.as_of = then, .overwrites = true, .dry_run = dry_run});
  }
  std::string content(const std::string& name) { return work().items[name].content; }
  // Every content that the server ever had must be in the backup before it goes.
  bool is_backed_up(const std::string& wanted) {
    for (const FolderRow& folder : book->all_folders(mailbox, soon()).value()) {
      for (Milliseconds at = then; at <= now; at += hour) {
        for (const ItemRow& item : book->items_as_of(folder, at, soon()).value())
          if (store->retrieve(tenant, item.message, soon()).value() == wanted) return true;
      }
    }
    return false;
  }
  static const RestoredItem* first_of(const RestoreReport& report, Outcome outcome) {
    const auto found = std::ranges::find(report.items, outcome, &RestoredItem::outcome);
    return found == report.items.end() ? nullptr : &*found;
  }
  std::size_t puts() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(dav.requests, [](const auto& each) { return each.starts_with("PUT"); }));
  }
  Milliseconds then = 0;
  Picture before;
};

TEST_F(OverwriteTest, what_changed_under_its_name_comes_back_and_nothing_else_is_touched) {
  ASSERT_TRUE(sync());
  work().put("new.ics", event("new"));
  dav.requests.clear();
  auto report = overwrite();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::overwritten), 2U);
  EXPECT_EQ(report->count(Outcome::present), 11U);
  EXPECT_EQ(puts(), 2U);
  EXPECT_EQ(content("e5.ics"), event("e5"));
  EXPECT_EQ(friends().items["c2.vcf"].content, contact("c2"));
  EXPECT_EQ(content("new.ics"), event("new"));
  EXPECT_TRUE(is_backed_up(later("e5")));
  // Once more: all is there.
  report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::present), 13U);
  EXPECT_EQ(puts(), 2U);
  // It is kept so, and as of the moment between it can be had again.
  ASSERT_TRUE(sync());
  report = restore({.as_of = now - hour, .overwrites = true});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::overwritten), 2U);
  EXPECT_EQ(content("e5.ics"), later("e5"));
}

TEST_F(OverwriteTest, without_being_asked_to_nothing_that_is_there_changes) {
  ASSERT_TRUE(sync());
  const Picture now_there = there();
  for (const bool dry_run : {false, true}) {
    const auto report = restore({.as_of = then, .dry_run = dry_run});
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->is_exact());
    EXPECT_EQ(report->count(Outcome::present), 11U);
    EXPECT_EQ(report->count(Outcome::overwritten), 0U);
    const RestoredItem* left = first_of(*report, dry_run ? Outcome::differs : Outcome::failed);
    ASSERT_NE(left, nullptr);
    EXPECT_NE(left->detail.find("another version"), std::string::npos) << left->detail;
    EXPECT_NE(left->detail.find("--overwrite"), std::string::npos) << left->detail;
    EXPECT_EQ(there(), now_there);
  }
}

TEST_F(OverwriteTest, what_the_backup_does_not_have_yet_is_never_lost) {
  ASSERT_TRUE(sync());
  work().put("e5.ics", later("e5") + "X-NOT-YET:1\r\n");
  for (const bool dry_run : {true, false}) {
    const auto report = overwrite(dry_run);
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->is_exact());
    EXPECT_EQ(report->count(Outcome::overwritten), 1U);
    const RestoredItem* left = first_of(*report, Outcome::failed);
    ASSERT_NE(left, nullptr);
    EXPECT_EQ(mailboxes::item_name(left->target_id), "e5.ics");
    EXPECT_NE(left->detail.find("changed since the last backup: run backup first"), std::string::npos) << left->detail;
    EXPECT_EQ(content("e5.ics"), later("e5") + "X-NOT-YET:1\r\n");
  }
  ASSERT_TRUE(sync());
  const auto report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(content("e5.ics"), event("e5"));
  EXPECT_TRUE(is_backed_up(later("e5") + "X-NOT-YET:1\r\n"));
}

TEST_F(OverwriteTest, a_version_that_has_ended_or_cannot_be_read_does_not_count_as_kept) {
  ASSERT_TRUE(sync());
  const Milliseconds of_later = now;
  work().put("e5.ics", event("e5") + "X-THIRD:1\r\n");
  ASSERT_TRUE(sync());
  // Retention may take what has ended: the server has it once more, and no sync saw that.
  work().put("e5.ics", later("e5"));
  auto report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::failed), 1U);
  EXPECT_EQ(content("e5.ics"), later("e5"));
  ASSERT_TRUE(sync());
  const auto folders = book->folders_as_of(mailbox, of_later, soon());
  for (const FolderRow& folder : *folders) {
    for (const ItemRow& item : *book->items_as_of(folder, of_later, soon()))
      if (mailboxes::item_name(item.head.id) == "e5.ics") ASSERT_TRUE(store->forget(tenant, item.message, soon()));
  }
  report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::failed), 1U);
  EXPECT_EQ(content("e5.ics"), later("e5"));
}

TEST_F(OverwriteTest, what_changes_at_the_last_moment_stays) {
  ASSERT_TRUE(sync());
  dav.before_answer = [this](const std::string& request) {
    if (request.starts_with("PUT") && request.ends_with("/e5.ics")) work().put("e5.ics", event("e5") + "X-LAST:1\r\n");
  };
  const auto report = overwrite();
  dav.before_answer = nullptr;
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_exact());
  const RestoredItem* left = first_of(*report, Outcome::failed);
  ASSERT_NE(left, nullptr);
  EXPECT_NE(left->detail.find("at this very moment"), std::string::npos) << left->detail;
  EXPECT_EQ(content("e5.ics"), event("e5") + "X-LAST:1\r\n");
}

TEST_F(OverwriteTest, a_server_whose_tags_cannot_be_relied_on_keeps_what_it_has) {
  dav.ways.has_weak_etags = true;
  ASSERT_TRUE(sync());
  const auto report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::failed), 2U);
  EXPECT_NE(first_of(*report, Outcome::failed)->detail.find("strong ETag"), std::string::npos);
  EXPECT_EQ(content("e5.ics"), later("e5"));
}

TEST_F(OverwriteTest, what_was_moved_to_another_name_stays_and_is_named) {
  work().remove("e4.ics");
  work().put("moved.ics", later("e4"));
  ASSERT_TRUE(sync());
  const auto report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::overwritten), 2U);
  const RestoredItem* left = first_of(*report, Outcome::failed);
  ASSERT_NE(left, nullptr);
  EXPECT_NE(left->detail.find("another name"), std::string::npos) << left->detail;
  EXPECT_EQ(content("moved.ics"), later("e4"));
  EXPECT_FALSE(work().items.contains("e4.ics"));
}

TEST_F(OverwriteTest, broken_off_anywhere_the_next_try_has_our_content_or_the_old_one) {
  for (int i = 0; i < 9; ++i) work().put("e" + std::to_string(i) + ".ics", later("e" + std::to_string(i)));
  ASSERT_TRUE(sync());
  RestoreReport report;
  report.request = {.mailbox = mailbox.id, .as_of = then, .overwrites = true};
  Restore::Parts parts = restore_parts();
  std::size_t broken = 0;
  for (; broken < 40; ++broken) {
    dav.ways.drops_after_put = broken < 6;
    dav.ways.drop_after_requests = static_cast<std::int64_t>(9 + 2 * broken);
    dav.ways.keeps_connections = broken >= 8;  // where it is asked once more within the try
    if (Restore(parts).run(report, {}, soon())) break;
    for (const auto& [name, item] : work().items) {
      const std::string uid = name.substr(0, 2);
      EXPECT_TRUE(item.content == event(uid) || item.content == later(uid));
    }
  }
  report.is_over = true;
  EXPECT_GE(broken, 6U);
  EXPECT_TRUE(report.is_exact());
  EXPECT_EQ(there(), before);
  EXPECT_EQ(report.count(Outcome::overwritten), 10U) << "also what was on its way when a try ended";
  EXPECT_EQ(report.count(Outcome::present), 3U);
}

TEST_F(OverwriteTest, servers_that_write_anew_or_tell_no_etag_are_compared_by_what_they_mean) {
  ComparesWithoutProduct comparer;
  meaning = &comparer;
  dav.ways.rewrites = true;
  dav.ways.tells_etag_of_put = false;
  ASSERT_TRUE(sync());
  auto report = overwrite(true);
  ASSERT_TRUE(report);
  EXPECT_EQ(first_of(*report, Outcome::overwritten)->detail, "content: VEVENT.SUMMARY") << "as this comparer calls all";
  report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::overwritten), 2U);
  EXPECT_EQ(report->count_equal_in_meaning(), 2U);
  report = overwrite();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::present), 13U);
}

TEST_F(OverwriteTest, a_dry_run_says_what_would_be_written_over_and_writes_nothing) {
  ASSERT_TRUE(sync());
  work().remove("e1.ics");
  const Picture now_there = there();
  dav.requests.clear();
  const auto report = overwrite(true);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::overwritten), 2U);
  EXPECT_EQ(report->count(Outcome::would), 1U);
  EXPECT_EQ(there(), now_there);
  EXPECT_EQ(puts(), 0U);
  const auto page = shown_items({{"outcome", "overwritten"}, {"folder", "Calendars"}}, *parse_report(write_report(*report)));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->at("items").as_array().size(), 1U);
  const auto& item = page->at("items").as_array()[0].as_object();
  EXPECT_EQ(item.at("would").as_string(), "be written over");
  EXPECT_EQ(item.at("folder").as_string(), "Calendars/Work");
  EXPECT_EQ(item.at("bytes").to_number<std::size_t>(), event("e5").size());
  EXPECT_FALSE(item.contains("received_at")) << "an event has no such date";
}

TEST_F(OverwriteTest, into_another_mailbox_its_own_backup_is_what_counts) {
  ASSERT_TRUE(sync());
  Mailbox other = mailbox;
  other.id = Id::random();
  ASSERT_TRUE(book->put_mailbox(other, soon()));
  const auto report = restore({.as_of = then, .overwrites = true, .into = other.id});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::failed), 2U) << "nothing of the other one was backed up";
  EXPECT_EQ(content("e5.ics"), later("e5"));
}

}  // namespace
}  // namespace mailhold::recover
