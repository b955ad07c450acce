#include <gtest/gtest.h>

#include "formats/smtp/smtp_address.h"
#include "formats/smtp/smtp_reply.h"

namespace mailhold::smtp {
namespace {

TEST(SmtpAddress, reads_and_writes_mailboxes) {
  const char* good[][2] = {{"ann@example.test", "ann@example.test"},
                           {"Ann.Lee+x@Example.TEST", "Ann.Lee+x@example.test"},
                           {"\"ann lee\"@example.test", "\"ann lee\"@example.test"},
                           {"\"ann\"@example.test", "ann@example.test"},
                           {"\"a\\\"b\\\\\"@example.test", "\"a\\\"b\\\\\"@example.test"},
                           {"a@[192.0.2.1]", "a@[192.0.2.1]"},
                           {"a@[IPv6:2001:db8::1]", "a@[ipv6:2001:db8::1]"},
                           {"a@my_host.test", "a@my_host.test"}};
  for (const auto& one : good) {
    const auto address = parse_mailbox(one[0]);
    ASSERT_TRUE(address) << one[0];
    EXPECT_EQ(address->text(), one[1]);
    EXPECT_EQ(parse_mailbox(address->text()).value(), *address);
  }
}

TEST(SmtpAddress, refuses_what_is_no_mailbox) {
  for (const char* bad : {"",
                          "ann",
                          "@example.test",
                          "ann@",
                          ".ann@b.test",
                          "ann.@b.test",
                          "a..b@c.test",
                          "a b@c.test",
                          "a@b..test",
                          "a@-b.test",
                          "a@b-.test",
                          "a@xn---",
                          "a@[1.2.3]",
                          "a@[1.2.3.256]",
                          "a@[IPv6:::1::]",
                          "a@[IPv6:12345::]",
                          "\"a@b.test",
                          "\"\"@b.test",
                          "a@b.test>",
                          "a@b@c.test",
                          "a@b.test ",
                          "a\r\n@b.test",
                          "\"a\r\nb\"@c.test",
                          "<a@b.test>"}) {
    EXPECT_FALSE(parse_mailbox(bad)) << bad;
  }
  EXPECT_FALSE(parse_mailbox(std::string(250, 'a') + "@b.test"));
  EXPECT_FALSE(parse_mailbox("a@" + std::string(64, 'b') + ".test"));
}

TEST(SmtpAddress, reads_paths) {
  std::string_view text = "<> SIZE=1";
  EXPECT_TRUE(take_path(text)->is_null());
  EXPECT_EQ(text, " SIZE=1");
  text = "<@a.test,@b.test:ann@c.test>";
  EXPECT_EQ(take_path(text)->text(), "ann@c.test");
  for (const char* bad : {"", "<", "<a@b.test", "a@b.test>", "<@a.test>", "<@a.test,:a@b.test>", "<a@b.test x>"}) {
    text = bad;
    EXPECT_FALSE(take_path(text)) << bad;
    EXPECT_EQ(text, bad);
  }
}

TEST(SmtpReply, is_written_with_codes_on_each_line) {
  EXPECT_EQ(write_reply(reply(250, "2.1.0", "ok")), "250 2.1.0 ok\r\n");
  EXPECT_EQ(write_reply({550, "5.7.1", {"one", "two"}}), "550-5.7.1 one\r\n550 5.7.1 two\r\n");
}

TEST(SmtpReply, cannot_be_split_by_its_text) {
  EXPECT_EQ(write_reply(reply(550, "5.1.1", "a\r\n250 b\xff")), "550 5.1.1 a??250 b?\r\n");
  EXPECT_EQ(write_reply(reply(550, "", std::string(5000, 'x'))).size(), 512u);
}

TEST(SmtpReplyReader, cuts_bytes_into_replies) {
  ReplyReader reader;
  ASSERT_TRUE(reader.receive("250-mx.test\r\n250-PIPE"));
  EXPECT_FALSE(reader.next());
  ASSERT_TRUE(reader.receive("LINING\r\n250 HELP\r\n550 5.1.1 no such user\r\n354\r\n"));
  const auto ehlo = reader.next();
  ASSERT_TRUE(ehlo);
  EXPECT_EQ(ehlo->lines, (std::vector<std::string>{"mx.test", "PIPELINING", "HELP"}));
  const auto unknown = reader.next();
  EXPECT_EQ(unknown->enhanced, "5.1.1");
  EXPECT_EQ(unknown->text(), "no such user");
  EXPECT_EQ(reader.next()->code, 354);
  EXPECT_FALSE(reader.has_leftover());
}

TEST(SmtpReplyReader, takes_an_enhanced_code_only_of_the_same_class) {
  ReplyReader reader;
  ASSERT_TRUE(reader.receive("250 5.1.1 odd\r\n450 4.2.1\r\n421 4.7.1234 long\r\n"));
  EXPECT_EQ(reader.next()->enhanced, "");
  EXPECT_EQ(reader.next()->enhanced, "4.2.1");
  EXPECT_EQ(reader.next()->enhanced, "");
}

TEST(SmtpReplyReader, refuses_what_is_no_reply) {
  for (const char* bad : {"hello\r\n", "999 x\r\n", "25\r\n", "250x\r\n", "250-a\r\n251 b\r\n", "\r\n"}) {
    ReplyReader reader;
    EXPECT_EQ(reader.receive(bad).error().kind, ErrorKind::invalid_input) << bad;
  }
  ReplyReader reader;
  EXPECT_EQ(reader.receive(std::string(3000, '2')).error().kind, ErrorKind::limit_exceeded);
  std::string endless;
  for (int i = 0; i < 200; ++i) endless += "250-x\r\n";
  ReplyReader other;
  EXPECT_EQ(other.receive(endless).error().kind, ErrorKind::limit_exceeded);
}

}  // namespace
}  // namespace mailhold::smtp
