// Several messages in one APPEND, at a server that refuses some, tells wrong places or breaks off.
#include "features/mailboxes/imap/imap_append.h"

#include <gtest/gtest.h>

#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"
#include "features/mailboxes/imap/imap_mark.h"

namespace mailhold::mailboxes {
namespace {

class ImapAppend : public testing::Test {
 protected:
  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }
  static std::string content(std::size_t number) { return "Subject: number " + std::to_string(number) + ".\r\n\r\nhello\r\n"; }
  std::unique_ptr<ImapMailbox> session() {
    auto socket = server.open(Id(), Id(), "restore.write", soon());
    auto opened = ImapMailbox::open(net::stream_over(socket->release()), true, {}, soon());
    return opened ? std::move(*opened) : nullptr;
  }
  // Adds messages 0 to `count`; what was said of each, in order: an id, "", or the error.
  Status add(std::size_t count, std::size_t padding = 0) {
    std::size_t given = 0;
    answers.clear();
    MailboxTarget::Additions additions;
    additions.next = [&]() -> Result<std::optional<Item>> {
      if (given == count) return std::optional<Item>();
      Item item;
      item.head.flags = {"\\Deleted", "\\Seen", given % 2 == 0 ? "even[" : "odd"};
      item.head.received_at = given % 3 == 0 ? 0 : 837'596'665'000;
      item.content = content(given++) + std::string(padding, 'x');
      return std::optional(std::move(item));
    };
    additions.added = [&](Result<std::string> id) -> Status {
      answers.push_back(id ? *id : (id.error().kind == ErrorKind::denied ? "denied " : "another ") + id.error().for_peer);
      return done();
    };
    auto target = session();
    const Status status = target->add_all({"INBOX", {"INBOX"}}, additions, soon());
    target.reset();
    server.finish_sessions();
    return status;
  }
  // Which messages the folder has, in its order.
  std::vector<std::size_t> there(std::size_t padding = 0) {
    std::vector<std::size_t> numbers;
    for (const FakeMessage& message : server.folders["INBOX"].messages) {
      const std::size_t number = std::stoull(message.content.substr(16));
      EXPECT_EQ(message.content, content(number) + std::string(padding, 'x'));
      EXPECT_EQ(message.flags, (std::set<std::string>{"\\Seen", number % 2 == 0 ? "even[" : "odd"}));
      EXPECT_EQ(message.date, number % 3 == 0 ? "01-Jan-2026 00:00:00 +0000" : "17-Jul-1996 09:44:25 +0000");
      numbers.push_back(number);
    }
    return numbers;
  }
  std::size_t appends() {
    return static_cast<std::size_t>(
        std::ranges::count_if(server.commands, [](const std::string& each) { return each.starts_with("APPEND "); }));
  }
  std::string id_at(std::size_t place) { return item_id(1000, server.folders["INBOX"].messages.at(place).uid); }
  static std::vector<std::size_t> numbers(std::size_t count) {
    std::vector<std::size_t> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = i;
    return all;
  }

  FakeImapServer server;
  std::vector<std::string> answers;
};

TEST_F(ImapAppend, sixteen_messages_go_into_a_command) {
  ASSERT_TRUE(add(200));
  EXPECT_EQ(there(), numbers(200));
  ASSERT_EQ(answers.size(), 200U);
  for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(answers[i], id_at(i));
  EXPECT_EQ(appends(), 13U);
}

TEST_F(ImapAppend, a_command_has_a_megabyte_at_most_and_what_is_larger_goes_alone) {
  ASSERT_TRUE(add(10, 300'000));
  EXPECT_EQ(there(300'000), numbers(10));
  EXPECT_EQ(appends(), 4U);
  server.folders["INBOX"].messages.clear();
  server.commands.clear();
  ASSERT_TRUE(add(9, 2U << 20));
  EXPECT_EQ(there(2U << 20), numbers(9));
  EXPECT_EQ(appends(), 9U);
}

TEST_F(ImapAppend, each_goes_alone_where_the_server_does_not_take_several) {
  for (const char* offered :
       {"IMAP4rev1 UIDPLUS LITERAL+", "IMAP4rev1 UIDPLUS LITERAL- MULTIAPPEND", "IMAP4rev1 UIDPLUS MULTIAPPEND"}) {
    server.offer(offered);
    server.folders["INBOX"].messages.clear();
    server.commands.clear();
    ASSERT_TRUE(add(40));
    EXPECT_EQ(there(), numbers(40));
    EXPECT_EQ(appends(), 40U) << offered;
    for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(answers.at(i), id_at(i));
  }
}

TEST_F(ImapAppend, one_that_is_refused_for_good_fails_alone) {
  for (const std::size_t refused : {std::size_t{0}, std::size_t{7}, std::size_t{15}, std::size_t{16}, std::size_t{99}}) {
    server.folders["INBOX"].messages.clear();
    server.faults.refused_text = "number " + std::to_string(refused) + ".";
    ASSERT_TRUE(add(100));
    const std::vector<std::size_t> taken = there();
    ASSERT_EQ(taken.size(), 99U);
    ASSERT_EQ(answers.size(), 100U);
    for (std::size_t place = 0; place < taken.size(); ++place) EXPECT_EQ(answers[taken[place]], id_at(place));
    EXPECT_EQ(answers[refused], "denied [CANNOT] not this message");
  }
}

TEST_F(ImapAppend, a_server_that_refuses_all_is_not_asked_for_much_more_than_once_each) {
  server.faults.refused_text = "Subject";
  ASSERT_TRUE(add(400));
  EXPECT_TRUE(there().empty());
  EXPECT_EQ(std::ranges::count(answers, "denied [CANNOT] not this message"), 400);
  EXPECT_LE(appends(), 400U + 8) << "the groups that were under way";
}

TEST_F(ImapAppend, a_server_that_takes_few_at_a_time_gets_on) {
  server.faults.appends_until_pause = 5;
  const Status status = add(40);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(there(), numbers(5));
  EXPECT_EQ(answers.size(), 5U);
}

TEST_F(ImapAppend, of_a_command_that_broke_off_nothing_is_there) {
  server.faults.drops_behind_messages = 9;
  ASSERT_FALSE(add(40));
  EXPECT_TRUE(there().empty());
  EXPECT_TRUE(answers.empty());
  server.faults.drops_after_append = true;
  ASSERT_FALSE(add(40));
  EXPECT_EQ(there(), numbers(16)) << "taken, and never said";
  EXPECT_TRUE(answers.empty());
}

TEST_F(ImapAppend, places_that_do_not_fit_the_messages_are_not_believed) {
  for (const char* uids :
       {"1:3", "1:5", "4,3,2,1", "1,1,1,1", "1:2,2:3", "0:3", "1:*", "1:4294967295", "x", "1,2,3,", "4294967295:4294967298"}) {
    server.faults.wrong_uids = uids;
    ASSERT_TRUE(add(4));
    EXPECT_EQ(answers, std::vector<std::string>(4)) << uids;
  }
  for (const char* uids : {"7,9:10,12", "7,9,10,12"}) {
    server.faults.wrong_uids = uids;
    ASSERT_TRUE(add(4));
    EXPECT_EQ(answers, (std::vector<std::string>{"1000.7", "1000.9", "1000.10", "1000.12"})) << uids;
  }
}

TEST_F(ImapAppend, ends_with_the_first_error_of_who_gives_or_hears) {
  std::size_t given = 0, heard = 0;
  MailboxTarget::Additions additions;
  additions.next = [&]() -> Result<std::optional<Item>> {
    if (given == 20) return Error{ErrorKind::corrupt, "no more"};
    Item item;
    item.content = content(given++);
    return std::optional(std::move(item));
  };
  additions.added = [&](const Result<std::string>&) -> Status {
    ++heard;
    return done();
  };
  const Status status = session()->add_all({"INBOX", {"INBOX"}}, additions, soon());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().detail, "no more");
  server.finish_sessions();
  EXPECT_LE(server.folders["INBOX"].messages.size(), 16U) << "what was gathered is not sent";
  additions.next = [&]() -> Result<std::optional<Item>> {
    Item item;
    item.content = content(1);
    return std::optional(std::move(item));
  };
  heard = 0;
  additions.added = [&](const Result<std::string>&) -> Status {
    return ++heard == 3 ? Status(Error{ErrorKind::corrupt, "enough"}) : done();
  };
  EXPECT_EQ(session()->add_all({"INBOX", {"INBOX"}}, additions, soon()).error().detail, "enough");
  EXPECT_EQ(heard, 3U);
}

}  // namespace
}  // namespace mailhold::mailboxes
