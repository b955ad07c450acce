// Events, tasks and contacts are found by words, people and dates, and put back.
#include "fakes/dav_server.h"
#include "fakes/finding_fixture.h"
#include "features/mailboxes/dav/dav_mailbox.h"

namespace mailhold::recover {
namespace {

class DavFindingTest : public FindingFixture {
 protected:
  void SetUp() override {
    mailbox.kind = mailboxes::MailboxKind::dav;
    FindingFixture::SetUp();
    work().put("lunch.ics", event("lunch",
                                  "DTSTART:20260302T120000Z\r\nSUMMARY:Soup in the hall\r\nLOCATION:Hall 4\r\n"
                                  "ORGANIZER;CN=Eve:mailto:eve@e.example\r\nATTENDEE;CN=Ann Miller:mailto:ann@a.example\r\n"));
    work().put("trip.ics", event("trip",
                                 "DTSTART;VALUE=DATE:20300501\r\nSUMMARY:Trip\r\nATTENDEE:mailto:bob@b.example\r\n"
                                 "ATTACH;FILENAME=route.pdf:https://e.example/1\r\n"));
    work().put("someday.ics", event("someday", "SUMMARY:Soup some day\r\n"));
    friends().put("ann.vcf",
                  contact("ann", "FN:Ann Miller\r\nEMAIL:ann@a.example\r\nTEL:+49 30 4711\r\nREV:20250101T000000Z\r\n"));
    friends().put("rene.vcf", contact("rene", "FN:Ren\xC3\xA9\r\nORG:Kitchen\\, Ltd.;Soups\r\n"));
  }
  std::unique_ptr<mailboxes::MailboxTarget> session(bool writes) override {
    const auto dial = [this, writes](const Deadline& deadline) -> Result<std::unique_ptr<net::Stream>> {
      ASSIGN_OR_RETURN(ipc::OwnedFd socket,
                       dav.open_http(tenant, mailbox.connection, writes ? "restore.write" : "backup.read", deadline));
      return net::stream_over(socket.release());
    };
    auto opened = mailboxes::DavMailbox::open(dial, {}, soon());
    return opened ? std::move(*opened) : nullptr;
  }
  static std::string event(const std::string& uid, const std::string& lines) {
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\n" + lines + "END:VEVENT\r\nEND:VCALENDAR\r\n";
  }
  static std::string contact(const std::string& uid, const std::string& lines) {
    return "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:" + uid + "\r\n" + lines + "END:VCARD\r\n";
  }
  FakeCollection& work() { return dav.collections["/dav/cal/ann/work/"]; }
  FakeCollection& friends() { return dav.collections["/dav/card/ann/friends/"]; }

  // "event 2026-03-02", in the order they are answered in.
  std::vector<std::string> found(const std::string& query, Milliseconds at = 0) {
    std::vector<std::string> all;
    const json::object answer = ask({{"mailbox", mailbox.name}, {"query", query}, {"at", at}});
    if (!answer.contains("items")) return {json::serialize(answer)};
    for (const json::value& each : answer.at("items").as_array()) {
      const json::object& item = each.as_object();
      EXPECT_FALSE(item.contains("received_at"));
      const std::string date = item.contains("date") ? std::string(item.at("date").as_string()).substr(0, 10) : "-";
      all.push_back(std::string(item.at("type").as_string()) + " " + date);
    }
    return all;
  }
  using Found = std::vector<std::string>;
  const std::string lunch = "event 2026-03-02", trip = "event 2030-05-01", someday = "event -", ann = "contact 2025-01-01",
                    rene = "contact -";
  FakeDavServer dav;
};

TEST_F(DavFindingTest, events_and_contacts_are_found_by_words_people_and_attachments) {
  synced();
  EXPECT_EQ(ask({{"mailbox", mailbox.name}, {"query", "soup"}}).at("complete"), false);
  ASSERT_TRUE(take_in());
  EXPECT_EQ(ask({{"mailbox", mailbox.name}, {"query", "soup"}}).at("complete"), true);
  EXPECT_EQ(found("subject:soup"), (Found{lunch, someday}));
  EXPECT_EQ(found("soup -hall"), (Found{someday}));
  EXPECT_EQ(found("from:eve"), (Found{lunch}));
  EXPECT_EQ(found("to:ann@a.example"), (Found{lunch, ann})) << "as one who is invited, and as a contact";
  EXPECT_EQ(found("from:miller"), (Found{ann}));
  EXPECT_EQ(found("to:bob"), (Found{trip}));
  EXPECT_EQ(found("rene"), (Found{rene}));
  EXPECT_EQ(found("kitchen soups"), (Found{rene}));
  EXPECT_EQ(found("\"30 4711\""), (Found{ann}));
  EXPECT_EQ(found("attachment:route.pdf has:attachment"), (Found{trip}));
  EXPECT_EQ(found("ann folder:\"Address books\""), (Found{ann}));
  EXPECT_EQ(found("has:unreadable"), Found{});
}

TEST_F(DavFindingTest, dates_are_their_own_and_without_one_nothing_is_before_or_after) {
  synced();
  ASSERT_TRUE(take_in());
  EXPECT_EQ(found("folder:Calendars"), (Found{trip, lunch, someday})) << "the newest first";
  EXPECT_EQ(found("after:2026-03-02 folder:Calendars"), (Found{trip, lunch}));
  EXPECT_EQ(found("before:2026-03-03"), (Found{lunch, ann}));
  EXPECT_EQ(found("after:2026-03-03 before:2031-01-01"), (Found{trip}));
  EXPECT_EQ(found("soup before:2099-01-01"), (Found{lunch}));
}

TEST_F(DavFindingTest, what_changed_or_went_is_found_as_of_then) {
  const Milliseconds first = synced().synced_at;
  work().put("lunch.ics", event("lunch", "DTSTART:20260309T120000Z\r\nSUMMARY:Salad\r\n"));
  friends().remove("ann.vcf");
  synced();
  ASSERT_TRUE(take_in());
  EXPECT_EQ(found("salad"), (Found{"event 2026-03-09"}));
  EXPECT_EQ(found("hall"), Found{});
  EXPECT_EQ(found("hall", first), (Found{lunch}));
  EXPECT_EQ(found("miller", first), (Found{lunch, ann}));
}

TEST_F(DavFindingTest, what_cannot_be_read_is_known) {
  work().put("broken.ics", "BEGIN:VCALENDAR\r\nno line of it\r\nEND:VCALENDAR\r\n");
  synced();
  ASSERT_TRUE(take_in());
  EXPECT_EQ(found("has:unreadable"), (Found{"event -"}));
}

TEST_F(DavFindingTest, an_index_that_passed_over_them_takes_them_in) {
  synced();
  search::Batch passed;
  passed.cursor = {mailbox.id, now, Id::from_bytes(std::string(Id::size, '\xFF'))};
  search::Document letter{Id::random(), Id::random(), 1, false, {}};  // of another mailbox
  letter.texts.subject = "soup";
  passed.documents = {letter};
  ASSERT_TRUE(search_->add(tenant, passed, soon()));
  ASSERT_TRUE(take_in());
  EXPECT_EQ(found("subject:soup"), (Found{lunch, someday}));
  EXPECT_EQ(search_->figures(tenant, soon())->documents, 6U);
  // Once; and then it goes on where it is.
  stop();
  start();
  work().put("new.ics", event("new", "SUMMARY:Bread\r\n"));
  synced();
  ASSERT_TRUE(take_in());
  EXPECT_EQ(search_->figures(tenant, soon())->documents, 7U);
  EXPECT_EQ(found("bread"), (Found{"event -"}));
}

TEST_F(DavFindingTest, what_is_found_is_put_back) {
  const Mailbox then = synced();
  ASSERT_TRUE(take_in());
  const std::string whole = work().items.at("lunch.ics").content;
  work().items.clear();
  friends().items.clear();
  RestoreRequest request;
  const auto chosen = finding_->items_of(then, "to:ann@a.example", 0, soon());
  ASSERT_TRUE(chosen) << chosen.error().detail;
  request.items = *chosen;
  const auto report = restore(request);
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::restored), 2U);
  ASSERT_EQ(work().items.size(), 1U);
  EXPECT_EQ(work().items.begin()->second.content, whole);
  EXPECT_EQ(friends().items.size(), 1U);
}

}  // namespace
}  // namespace mailhold::recover
