#include "features/mailboxes/imap/imap_watch.h"

#include <gtest/gtest.h>

#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"

namespace mailhold::mailboxes {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(60s); }

class ImapWatchTest : public testing::Test {
 protected:
  Result<std::unique_ptr<MailboxWatch>> open(const ImapWatchSettings& settings = {}) {
    auto socket = server.open(Id(), Id(), "backup.read", soon());
    auto session = ImapSession::start(net::stream_over(socket->release()), {.limits = watch_limits}, soon());
    if (!session) return session.error();
    return ImapWatch::open(std::move(*session), settings, soon());
  }
  void tell(const std::string& lines) {
    const std::lock_guard lock(server.mutex);
    server.tell_idlers(lines);
  }
  // The first look that tells a change or an error; nothing if none does.
  static std::optional<Result<bool>> outcome(MailboxWatch& watch) {
    for (int i = 0; i < 6000; ++i) {
      Result<bool> looked = watch.look();
      if (!looked || *looked) return looked;
      std::this_thread::sleep_for(5ms);
    }
    return std::nullopt;
  }
  static ErrorKind end_of(MailboxWatch& watch) {
    const auto looked = outcome(watch);
    EXPECT_TRUE(looked && !*looked);
    return looked && !*looked ? looked->error().kind : ErrorKind::bug;
  }
  std::size_t count(std::string_view command) {
    const std::lock_guard lock(server.mutex);
    return static_cast<std::size_t>(std::count(server.commands.begin(), server.commands.end(), command));
  }
  FakeImapServer server{"IMAP4rev1 ENABLE CONDSTORE QRESYNC IDLE"};
};

TEST_F(ImapWatchTest, whatever_happens_to_a_message_is_a_change_and_nothing_else_is) {
  auto watch = open();
  ASSERT_TRUE(watch) << watch.error().detail;
  EXPECT_EQ(count("EXAMINE \"INBOX\""), 1U);
  for (const char* line : {"* 4 EXISTS", "* 1 RECENT", "* 2 EXPUNGE", "* VANISHED 7:9", "* 3 FETCH (FLAGS (\\Seen) UID 3)"}) {
    tell("* OK Still here\r\n* NO a warning\r\n* FLAGS (\\Seen)\r\nnonsense\r\n" + std::string(line) + "\r\n");
    const auto told = outcome(**watch);
    ASSERT_TRUE(told) << line;
    EXPECT_TRUE(*told) << line;
  }
  tell("* OK Still here\r\n* FLAGS (\\Seen)\r\n");
  for (int i = 0; i < 20; ++i) {
    const auto looked = (*watch)->look();
    ASSERT_TRUE(looked);
    EXPECT_FALSE(*looked);
    std::this_thread::sleep_for(1ms);
  }
}

TEST_F(ImapWatchTest, a_server_without_idle_cannot_be_watched) {
  server.offer("IMAP4rev1");
  auto watch = open();
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(count("IDLE"), 0U);
  server.offer("IMAP4rev1 IDLE");
  server.faults.refuses_idle = true;
  watch = open();
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().kind, ErrorKind::unsupported);
}

TEST_F(ImapWatchTest, a_server_that_ends_it_is_named_with_its_words) {
  auto watch = open();
  ASSERT_TRUE(watch);
  tell("* BYE shutting down\r\n");
  const auto looked = outcome(**watch);
  ASSERT_TRUE(looked && !*looked);
  EXPECT_EQ(looked->error().kind, ErrorKind::unavailable);
  EXPECT_EQ(looked->error().for_peer, "shutting down");
  EXPECT_FALSE((*watch)->look()) << "it does not come back";

  watch = open();
  ASSERT_TRUE(watch);
  {
    const std::lock_guard lock(server.mutex);
    server.drop_idlers();
  }
  EXPECT_EQ(end_of(**watch), ErrorKind::unavailable);
}

TEST_F(ImapWatchTest, idle_is_given_anew_in_time_and_nothing_is_missed_between) {
  auto watch = open({.renew_after = 0ms});
  ASSERT_TRUE(watch);
  for (int i = 0; i < 6000 && count("IDLE") < 5; ++i) {
    const auto looked = (*watch)->look();
    ASSERT_TRUE(looked) << looked.error().detail;
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_GE(count("IDLE"), 5U);
  EXPECT_EQ(server.purposes.size(), 1U) << "in the same session";

  auto calm = open({.renew_after = 1h});
  ASSERT_TRUE(calm);
  EXPECT_GT((*calm)->look_by(), std::chrono::steady_clock::now() + 59min);
  EXPECT_LT(ImapWatchSettings().renew_after, 29min) << "RFC 2177";
}

TEST_F(ImapWatchTest, a_server_that_does_not_answer_is_not_waited_for) {
  server.faults.ignores_done = true;
  auto watch = open({.renew_after = 0ms, .silence_max = 10ms});
  ASSERT_TRUE(watch);
  EXPECT_EQ(end_of(**watch), ErrorKind::timed_out);
}

TEST_F(ImapWatchTest, a_server_that_talks_without_end_is_left) {
  auto watch = open({.idle_bytes_max = 100'000});
  ASSERT_TRUE(watch);
  std::string lines;
  while (lines.size() < 110'000) lines += "* OK and another thing\r\n";
  tell(lines);
  EXPECT_EQ(end_of(**watch), ErrorKind::limit_exceeded);

  watch = open();
  ASSERT_TRUE(watch);
  tell("* OK " + std::string(watch_limits.line_bytes_max + 10, 'x'));
  EXPECT_EQ(end_of(**watch), ErrorKind::corrupt) << "a line without end";
}

TEST_F(ImapWatchTest, what_is_no_imap_ends_it) {
  auto watch = open();
  ASSERT_TRUE(watch);
  tell("zz9 OK done\r\n");
  EXPECT_EQ(end_of(**watch), ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::mailboxes
