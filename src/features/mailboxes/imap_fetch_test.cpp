// A server that hangs up while contents are fetched.
#include <gtest/gtest.h>

#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"

namespace mailhold::mailboxes {
namespace {

Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

// It was gone before the next command could be sent; what it gave before is in the socket still, and counts against its caps.
TEST(ImapFetch, takes_all_that_came_before_the_server_hung_up) {
  FakeImapServer server;
  for (int i = 0; i < 300; ++i)
    server.folders["INBOX"].add("Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(200, 'x'), {});
  const auto open = [&] {
    auto socket = server.open(Id(), Id(), "backup.read", soon());
    auto opened = ImapMailbox::open(net::stream_over(socket->release()), false, {}, soon());
    return std::move(*opened);
  };
  std::vector<std::string> ids;
  {
    const auto source = open();
    const Folder inbox{"INBOX", {"INBOX"}};
    const auto listed = source->list(inbox, soon());
    ASSERT_TRUE(listed);
    for (const ItemHead& head : *listed) ids.push_back(head.id);
  }
  server.finish_sessions();
  ASSERT_EQ(ids.size(), 300U);
  server.faults.drop_after_bytes = 40'000;  // in the second hundred
  std::size_t taken = 0;
  bool is_gone = false;
  auto source = open();
  MailboxSource::Sink sink;
  sink.take = [&](MailboxSource::Content) -> Status {
    if (!std::exchange(is_gone, true)) server.finish_sessions();
    ++taken;
    return done();
  };
  sink.too_large = [](const std::string&, std::uint64_t) {};
  const Status fetched = source->fetch({"INBOX", {"INBOX"}}, ids, sink, soon());
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().kind, ErrorKind::unavailable);
  EXPECT_GT(taken, 110U);
  EXPECT_LT(taken, 200U);
}

}  // namespace
}  // namespace mailhold::mailboxes
