// Calendars and address books through the same sync and the same restore.
#include "fakes/dav_recover_fixture.h"
#include "features/recover/backup_rows.h"
#include "features/recover/failure_reasons.h"
#include "features/recover/proof.h"

namespace mailhold::recover {
namespace {

TEST_F(DavRecoverTest, takes_everything_and_then_only_what_changed) {
  ASSERT_TRUE(sync());
  const Milliseconds first = now;
  const Picture then = there();
  EXPECT_EQ(backed_up(first), then);
  EXPECT_EQ(progress.items_new, 13U);
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.items_new + progress.items_changed + progress.items_gone, 0U);
  work().put("e3.ics", event("e3 at another time"));
  work().remove("e4.ics");
  friends().put("c9.vcf", contact("c9"));
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), there());
  EXPECT_EQ(backed_up(first), then) << "a changed event can still be seen as it was";
  EXPECT_EQ(progress.items_new, 2U);
  EXPECT_EQ(progress.items_gone, 2U);
  for (const std::string& purpose : dav.purposes) EXPECT_EQ(purpose, "backup.read");
  for (const std::string& request : dav.requests)
    EXPECT_TRUE(request.starts_with("PROPFIND") || request.starts_with("REPORT")) << request;
}

TEST_F(DavRecoverTest, goes_on_exactly_wherever_the_server_broke_off) {
  std::size_t broken = 0;
  for (std::int64_t requests = 1; requests < 14; ++requests) {
    dav.ways.drop_after_requests = requests;
    dav.ways.keeps_connections = requests % 2 == 0;
    if (!sync()) ++broken;
    open_all();  // what is not durable is gone
  }
  EXPECT_GE(broken, 3U);
  dav.ways.drop_after_requests = -1;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), there());
}

TEST_F(DavRecoverTest, a_server_that_has_too_much_to_do_is_come_to_an_end_with_and_says_when_to_come_again) {
  dav.ways.has_multiget = false;  // each item is a question
  std::size_t broken = 0;
  for (; broken < 20; ++broken) {
    dav.ways.requests_until_pause = 11;
    rest = {};
    const Status status = sync();
    if (status) break;
    EXPECT_EQ(status.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(rest, std::chrono::seconds(120));
    EXPECT_EQ(progress.unreadable, 0U);
    open_all();
  }
  EXPECT_GE(broken, 2U);
  EXPECT_LT(broken, 20U);
  EXPECT_EQ(backed_up(now), there());
  dav.ways.requests_until_pause = 0;
  EXPECT_EQ(session(false), nullptr);
  EXPECT_EQ(rest, std::chrono::seconds(120));
  dav.ways.requests_until_pause = -1;
}

TEST_F(DavRecoverTest, an_item_that_is_not_given_is_pending_until_it_is_or_changes) {
  dav.ways.unreadable = {"e1.ics", "e2.ics"};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 2U);
  dav.ways.unreadable = {"e1.ics"};
  work().put("e1.ics", event("another"));
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 1U) << "the version before is not waited for";
  dav.ways.unreadable.clear();
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), there());
}

// As a server without care writes it into its answer; XML has no place for it.
TEST_F(DavRecoverTest, a_content_that_makes_no_xml_hides_no_other_and_comes_back_too) {
  work().put("e4.ics", event(std::string("\0 and <more", 11)));
  const Picture before = there();
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), before);
  work().items.clear();
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(there(), before);
}

TEST_F(DavRecoverTest, one_collection_that_is_refused_keeps_no_other_from_being_read) {
  ASSERT_TRUE(sync());
  const Picture before = there();
  for (const int status : {403, 404, 401, 405}) {
    for (const bool is_listed : {true, false}) {
      if (status == 404 && !is_listed) continue;  // that one is gone
      dav.ways.refused["/dav/cal/ann/work/"] = status;
      if (!is_listed) dav.ways.unlisted = {"/dav/cal/ann/work/"};
      const std::string name = std::to_string(status) + (is_listed ? "l" : "u");
      work().put(name + ".ics", event(name));
      friends().put(name + ".vcf", contact(name));
      ASSERT_TRUE(sync()) << name;
      const std::string reason = reason_of_progress(progress);
      EXPECT_NE(reason.find("the folder Calendars/Work is "), std::string::npos) << reason;
      EXPECT_NE(reason.find("as it was last seen"), std::string::npos) << reason;
      EXPECT_EQ(backed_up(now)["Calendars/Work"], before.at("Calendars/Work")) << name;
      EXPECT_EQ(backed_up(now)["Address books/Friends"], there()["Address books/Friends"]) << name;
      dav.ways.unlisted.clear();
    }
  }
  dav.ways.refused.clear();
  ASSERT_TRUE(sync());
  EXPECT_EQ(reason_of_progress(progress), "");
  EXPECT_EQ(backed_up(now), there());
}

TEST_F(DavRecoverTest, a_collection_that_is_gone_is_over_unless_it_was_most_of_them) {
  dav.collections["/dav/cal/ann/small/"].name = "Small";
  dav.collections["/dav/cal/ann/small/"].put("s.ics", event("s"));
  ASSERT_TRUE(sync());
  dav.collections.erase("/dav/cal/ann/small/");
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), there());
  const Picture before = there();
  dav.collections.erase("/dav/cal/ann/work/");
  ASSERT_TRUE(sync());
  EXPECT_NE(reason_of_progress(progress).find("1 of 2 folders with 9 of 13 items"), std::string::npos);
  EXPECT_EQ(backed_up(now), before);
}

TEST_F(DavRecoverTest, a_destroyed_calendar_comes_back_exactly) {
  for (const bool tells_etag : {true, false}) {
    dav.ways.tells_etag_of_put = tells_etag;
    ASSERT_TRUE(sync());
    const Picture before = there();
    std::erase_if(dav.collections, [](const auto& each) { return each.second.is_calendar; });
    friends().remove("c1.vcf");
    const auto report = restore();
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_TRUE(report->is_exact());
    EXPECT_EQ(report->count(Outcome::restored), 10U);
    EXPECT_EQ(there(), before);
    const auto again = restore();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->count(Outcome::present), 13U);
    EXPECT_EQ(there(), before);
  }
}

TEST_F(DavRecoverTest, an_item_that_the_server_stumbles_over_fails_alone_and_what_passes_is_waited_for) {
  ASSERT_TRUE(sync());
  work().items.clear();
  dav.ways.stumbles = {{"e3.ics", 500}, {"e4.ics", 507}};
  auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->count(Outcome::restored), 7U);
  EXPECT_EQ(report->count(Outcome::failed), 2U);
  std::set<std::string> reasons;
  for (const RestoredItem& item : report->items)
    if (item.outcome == Outcome::failed) reasons.insert(item.detail);
  EXPECT_EQ(reasons, (std::set<std::string>{"the server answers 500", "the server answers 507: there is no room for it"}));
  for (const int passes : {408, 425, 429, 502, 503, 504}) {
    dav.ways.stumbles = {{"e3.ics", passes}};
    report = restore();
    ASSERT_FALSE(report) << passes;
    EXPECT_EQ(report.error().kind, ErrorKind::unavailable) << passes;
  }
  dav.ways.stumbles.clear();
  report = restore();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
}

TEST_F(DavRecoverTest, an_item_that_the_server_stumbles_over_is_pending_and_the_others_are_read) {
  dav.ways.stumbles = {{"e3.ics", 500}};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 1U);
  EXPECT_EQ(progress.items_new, 12U);
  dav.ways.stumbles = {{"e3.ics", 504}};
  EXPECT_EQ(sync().error().kind, ErrorKind::unavailable);
  dav.ways.stumbles.clear();
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), there());
}

TEST_F(DavRecoverTest, an_item_that_changed_since_stays_and_comes_back_beside) {
  ASSERT_TRUE(sync());
  work().put("e5.ics", event("of later"));
  auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::failed), 1U);
  EXPECT_EQ(work().items["e5.ics"].content, event("of later"));
  report = restore({.from = {"Calendars", "Work"}, .to = {"Calendars", "Work as it was"}});
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(there()["Calendars/Work as it was"], backed_up(now)["Calendars/Work"]);
}

TEST_F(DavRecoverTest, in_anothers_account_each_collection_has_a_title_that_says_whose_it_was) {
  mailbox.kind = mailboxes::MailboxKind::dav;
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  ASSERT_TRUE(sync());
  const auto report = restore({.place = "Restored from ann"});
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(there()["Calendars/Restored from ann: Work"], backed_up(now)["Calendars/Work"]);
  EXPECT_EQ(there()["Address books/Restored from ann: Friends"], backed_up(now)["Address books/Friends"]);
}

TEST_F(DavRecoverTest, what_a_server_writes_anew_is_equal_in_meaning_and_what_it_changes_is_not) {
  ComparesWithoutProduct comparer;
  meaning = &comparer;
  ASSERT_TRUE(sync());
  ASSERT_TRUE(restore());
  EXPECT_EQ(comparer.compared, 0U) << "equal bytes need no comparison";
  work().items.clear();
  dav.ways.rewrites = true;
  auto report = restore();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::restored), 9U);
  EXPECT_EQ(report->count_equal_in_meaning(), 9U);
  // Once more it is all there; and a report says so again after it was kept.
  report = restore();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->count(Outcome::present), 13U);
  EXPECT_EQ(parse_report(write_report(*report))->count_equal_in_meaning(), 9U);
  std::string& content = work().items["e2.ics"].content;
  content.replace(content.find("SUMMARY:e2"), 10, "SUMMARY:xx");
  Restore again(restore_parts());
  ASSERT_TRUE(again.verify(*report, soon()));
  EXPECT_FALSE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::differs), 1U);
  const auto found =
      std::find_if(report->items.begin(), report->items.end(), [](const auto& item) { return item.outcome == Outcome::differs; });
  ASSERT_NE(found, report->items.end());
  EXPECT_EQ(found->detail, "content: VEVENT.SUMMARY");
  // Without somebody who compares, nothing is said to be equal.
  comparer.is_away = true;
  const auto broken_off = restore();
  ASSERT_FALSE(broken_off);
  EXPECT_EQ(broken_off.error().kind, ErrorKind::unavailable);
  meaning = nullptr;
  report = restore();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_exact());
}

// Events and contacts put back into collections of the proof's own, compared, and taken away.
class DavProofTest : public DavRecoverTest {
 protected:
  void SetUp() override {
    DavRecoverTest::SetUp();
    dav.collections["/dav/cal/ann/home/"].name = "Home";
    // The same event as in the other calendar, under the same name.
    dav.collections["/dav/cal/ann/home/"].put("e1.ics", event("e1"));
    dav.ways.has_unique_uids = true;
    mailbox.kind = mailboxes::MailboxKind::dav;
    ASSERT_TRUE(sync());
    mailbox.synced_at = now;
    ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
    record.mailbox = mailbox.id;
    record.tenant = tenant;
    before = there();
    dav.requests.clear();
    dav.purposes.clear();
  }
  Status prove(std::size_t count = 30) {
    record.job = Id::random();
    const auto open = [this](const Deadline&) -> Result<std::unique_ptr<mailboxes::ScratchTarget>> {
      const auto dial = [this](const Deadline& deadline) -> Result<std::unique_ptr<net::Stream>> {
        ASSIGN_OR_RETURN(ipc::OwnedFd socket, dav.open_http(tenant, mailbox.connection, "backup.prove", deadline));
        return net::stream_over(socket.release());
      };
      ASSIGN_OR_RETURN(auto opened, mailboxes::DavMailbox::open(dial, {.bytes_at_once = 0}, soon()));
      return std::unique_ptr<mailboxes::ScratchTarget>(std::move(opened));
    };
    return Proof({*book, *store, open, clock, &comparer}).run(mailbox, count, record, soon());
  }
  ManualClock clock{1'800'000'000'000};
  ComparesWithoutProduct comparer;
  ProofRecord record;
  Picture before;
};

TEST_F(DavProofTest, everything_comes_back_and_nothing_is_left_at_the_server) {
  for (const bool tells_etag : {true, false}) {
    dav.ways.tells_etag_of_put = tells_etag;
    ASSERT_TRUE(prove());
    EXPECT_EQ(record.outcome, ProofOutcome::passed) << (record.differences.empty() ? "" : record.differences[0].what);
    EXPECT_EQ(record.items, 14U) << "also the one that another calendar has too";
    EXPECT_TRUE(record.scratch.is_none());
    EXPECT_EQ(there(), before);
  }
  // What authd lets a proof ask for, and no more.
  for (const std::string& request : dav.requests)
    EXPECT_TRUE(request.starts_with("PROPFIND ") || request.find("/mailhold-proof-") != std::string::npos) << request;
  for (const std::string& request : dav.requests) EXPECT_FALSE(request.starts_with("REPORT")) << request;
  for (const std::string& purpose : dav.purposes) EXPECT_EQ(purpose, "backup.prove");
}

TEST_F(DavProofTest, one_of_each_collection_is_among_the_chosen) {
  for (int round = 0; round < 20; ++round) {
    const auto chosen = choose_for_proof(*book, mailbox, 3, soon());
    ASSERT_TRUE(chosen);
    std::set<mailboxes::FolderPath> folders;
    for (const ChosenItem& each : *chosen) folders.insert(each.folder);
    EXPECT_EQ(chosen->size(), 3U);
    EXPECT_EQ(folders.size(), 3U);
  }
  EXPECT_EQ(choose_for_proof(*book, mailbox, 2, soon())->size(), 2U);
}

TEST_F(DavProofTest, what_a_server_writes_anew_passes_and_what_it_changes_is_named) {
  dav.ways.rewrites = true;
  ASSERT_TRUE(prove());
  EXPECT_EQ(record.outcome, ProofOutcome::passed);
  EXPECT_EQ(comparer.compared, 14U);
  dav.before_answer = [&](const std::string& request) {
    if (!request.starts_with("GET ")) return;
    for (auto& [path, collection] : dav.collections) {
      if (path.find("/mailhold-proof-") == std::string::npos) continue;
      for (auto& [name, item] : collection.items) {
        const std::size_t at = item.content.find("SUMMARY:e5");
        if (at != std::string::npos) item.content.replace(at, 10, "SUMMARY:xx");
      }
    }
  };
  ASSERT_TRUE(prove());
  EXPECT_EQ(record.outcome, ProofOutcome::failed);
  ASSERT_EQ(record.differences.size(), 1U);
  EXPECT_EQ(record.differences[0].what, "content: VEVENT.SUMMARY");
  EXPECT_EQ(there(), before);
}

TEST_F(DavProofTest, broken_off_anywhere_the_next_one_takes_away_what_was_left) {
  std::size_t broken = 0;
  for (std::int64_t requests = 2; requests < 40; requests += 3) {
    dav.ways.drop_after_requests = requests;
    dav.ways.keeps_connections = requests % 2 == 0;
    broken += prove(6) ? 0 : 1;
  }
  EXPECT_GE(broken, 3U);
  dav.ways.drop_after_requests = -1;
  open_all();
  record = book->proof(mailbox, soon()).value();
  ASSERT_TRUE(prove(6));
  EXPECT_EQ(record.outcome, ProofOutcome::passed);
  EXPECT_EQ(there(), before);
}

TEST_F(DavRecoverTest, broken_off_anywhere_and_begun_again_it_puts_nothing_there_twice) {
  ASSERT_TRUE(sync());
  const Picture before = there();
  work().items.clear();
  dav.ways.drops_after_put = true;
  for (std::int64_t requests = 3; requests < 15; ++requests) {
    dav.ways.drop_after_requests = requests;
    dav.ways.keeps_connections = requests % 2 == 0;
    (void)restore();
  }
  dav.ways.drop_after_requests = -1;
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(there(), before);
}

TEST_F(DavRecoverTest, only_chosen_types_are_read_and_what_is_there_of_others_stays) {
  using mailboxes::ItemType;
  const auto task = [](const std::string& subject) {
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:" + subject + "\r\nSUMMARY:" + subject +
           "\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
  };
  const auto kept = [&](const std::string& folder, const std::string& content) {
    return backed_up(now)[folder].contains({content, {}});
  };
  for (const bool has_sync : {true, false}) {
    SCOPED_TRACE(has_sync);
    dav.ways.has_sync = has_sync;
    mailbox.id = Id::random();
    work().items.clear();
    for (const char* name : {"t1", "t2", "t3"}) work().put(std::string(name) + ".ics", task(name));
    for (const char* name : {"e1", "e2"}) work().put(std::string(name) + ".ics", event(name));

    // Contacts alone: there is no other folder.
    mailbox.types = {ItemType::contact};
    ASSERT_TRUE(sync());
    EXPECT_EQ(backed_up(now), (Picture{{"Address books/Friends", there()["Address books/Friends"]}}));
    EXPECT_EQ(progress.folders, 1U);

    // Then all. Then tasks are left out: what becomes of them is not seen, and nothing of them is taken for gone.
    mailbox.types = mailboxes::ItemTypes::all();
    ASSERT_TRUE(sync());
    EXPECT_EQ(backed_up(now), there());
    mailbox.types = {ItemType::event};
    ASSERT_TRUE(sync());
    EXPECT_EQ(progress.items_gone + progress.items_new, 0U);
    EXPECT_EQ(backed_up(now), there());
    work().remove("t1.ics");
    work().put("t2.ics", task("t2, later"));
    work().put("t4.ics", task("t4"));
    work().remove("e1.ics");
    work().put("e2.ics", event("e2, later"));
    friends().remove("c0.vcf");
    for (int again = 0; again < 2; ++again) {
      ASSERT_TRUE(sync());
      EXPECT_EQ(progress.items_new, again == 0 ? 1U : 0U);
      EXPECT_EQ(progress.items_gone, again == 0 ? 2U : 0U);
      EXPECT_TRUE(kept("Calendars/Work", task("t1")));
      EXPECT_TRUE(kept("Calendars/Work", task("t2")));
      EXPECT_TRUE(kept("Calendars/Work", task("t3")));
      EXPECT_FALSE(kept("Calendars/Work", task("t4")));
      EXPECT_FALSE(kept("Calendars/Work", event("e1")));
      EXPECT_TRUE(kept("Calendars/Work", event("e2, later")));
      EXPECT_FALSE(kept("Calendars/Work", event("e2")));
      EXPECT_TRUE(kept("Address books/Friends", contact("c0")));
    }
    // Chosen again: all that was missed is caught up with.
    mailbox.types = mailboxes::ItemTypes::all();
    ASSERT_TRUE(sync());
    EXPECT_EQ(backed_up(now), there());
    friends().put("c0.vcf", contact("c0"));
  }
}

TEST_F(DavRecoverTest, an_item_that_becomes_one_of_a_type_that_is_not_chosen_is_over) {
  mailbox.types = {mailboxes::ItemType::event};
  ASSERT_TRUE(sync());
  const Milliseconds first = now;
  const Picture then = backed_up(first);
  work().put("e2.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:e2\r\nSUMMARY:e2\r\nEND:VTODO\r\nEND:VCALENDAR\r\n");
  ASSERT_TRUE(sync());
  EXPECT_FALSE(backed_up(now)["Calendars/Work"].contains({event("e2"), {}}));
  EXPECT_TRUE(backed_up(now)["Calendars/Work"].contains({event("e3"), {}}));
  EXPECT_EQ(backed_up(first), then);
}

TEST_F(DavRecoverTest, an_item_whose_type_nobody_tells_is_not_left_out) {
  dav.ways.tells_types = false;
  mailbox.types = {mailboxes::ItemType::task};
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now)["Calendars/Work"], there()["Calendars/Work"]);
  work().remove("e1.ics");
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now)["Calendars/Work"], there()["Calendars/Work"]);
}

TEST_F(DavRecoverTest, a_row_of_the_version_before_is_of_imap) {
  std::string row = write_mailbox(mailbox);
  row[0] = 1;
  row.resize(row.size() - 7);  // kind, schedule and types
  Mailbox read;
  read.kind = mailboxes::MailboxKind::dav;
  ASSERT_TRUE(read_mailbox(row, read));
  EXPECT_EQ(read.kind, mailboxes::MailboxKind::imap);
  mailbox.kind = mailboxes::MailboxKind::dav;
  ASSERT_TRUE(read_mailbox(write_mailbox(mailbox), read));
  EXPECT_EQ(read.kind, mailboxes::MailboxKind::dav);
  EXPECT_EQ(read.name, mailbox.name);
}

}  // namespace
}  // namespace mailhold::recover
