#include "formats/mbox/mbox.h"

#include <gtest/gtest.h>

namespace mailhold::mbox {
namespace {

std::vector<MboxMessage> read(std::string_view file, std::size_t piece = 1'000'000) {
  MboxReader reader;
  std::vector<MboxMessage> messages;
  const auto take = [&] {
    while (auto message = reader.next()) messages.push_back(std::move(*message));
  };
  for (std::size_t at = 0; at < file.size(); at += piece) {
    EXPECT_TRUE(reader.receive(file.substr(at, piece)));
    take();
  }
  EXPECT_TRUE(reader.end());
  take();
  return messages;
}

TEST(Mbox, gives_back_what_was_written) {
  const std::vector<std::string> messages = {
      "Subject: a\r\n\r\nFrom here\r\n>From there\r\nno From in the middle\r\n",
      "Subject: b\r\n\r\n\r\n\r\nFrom an empty line\r\n\r\n",
      "Subject: c\r\n\r\nwithout an end of line",
      "Subject: d\r\n\r\n",
  };
  std::string file;
  for (const std::string& message : messages) file += mbox_entry(message, 1'795'000'001'000);
  for (const std::size_t piece : {1U, 7U, 100'000U}) {
    const auto read_again = read(file, piece);
    ASSERT_EQ(read_again.size(), messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      EXPECT_EQ(read_again[i].received_at, 1'795'000'001'000);
      // A last line without an end gets one: mbox has no other way.
      const std::string expected = messages[i].ends_with("\r\n") ? messages[i] : messages[i] + "\r\n";
      EXPECT_EQ(with_crlf(read_again[i].content), expected) << i;
    }
  }
}

TEST(Mbox, writes_the_date_as_rfc_4155_says) {
  EXPECT_TRUE(mbox_entry("A: b\r\n\r\n", 0).starts_with("From MAILHOLD@localhost Thu Jan  1 00:00:00 1970\nA: b\n\n\n"));
}

TEST(Mbox, leaves_a_message_with_other_line_ends_alone) {
  EXPECT_NE(mbox_entry("A: b\r\n\r\nbare\nlf\r\n", 0).find("A: b\r\n\r\nbare\nlf\r\n\n"), std::string::npos);
}

TEST(Mbox, reads_flags_of_the_header_and_only_there) {
  const auto messages = read("From x Sat Nov 21 18:00:00 2026\nStatus: RO\nX-Status: AF\n\nStatus: no\nX-Status: D\n");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].flags, (std::vector<std::string>{"\\Answered", "\\Flagged", "\\Seen"}));
}

TEST(Mbox, takes_a_from_line_only_behind_an_empty_line) {
  EXPECT_EQ(
      read("From a Sat Nov 21 18:00:00 2026\nA: b\n\ntext\nFrom me to you\n\nFrom b Sat Nov 21 18:00:01 2026\nA: c\n\n").size(),
      2U);
}

TEST(Mbox, says_what_is_no_mbox_file) {
  MboxReader reader;
  EXPECT_EQ(reader.receive("Subject: a message\n\n").error().kind, ErrorKind::invalid_input);
}

TEST(Mbox, ends_a_message_that_is_too_large) {
  MboxReader reader(1000);
  EXPECT_EQ(reader.receive("From a\n" + std::string(900, 'a') + "\n" + std::string(900, 'b') + "\n").error().kind,
            ErrorKind::limit_exceeded);
  MboxReader one_line(1000);
  EXPECT_EQ(one_line.receive(std::string(2000, 'a')).error().kind, ErrorKind::limit_exceeded);
}

TEST(Maildir, names_carry_flags) {
  EXPECT_EQ(maildir_flags("1795.M1P2.host:2,FPS"), (std::vector<std::string>{"$Forwarded", "\\Flagged", "\\Seen"}));
  EXPECT_TRUE(maildir_flags("1795.M1P2.host").empty());
}

TEST(Maildir, lf_becomes_crlf_only_where_there_is_none) {
  EXPECT_EQ(with_crlf("a\nb\n"), "a\r\nb\r\n");
  EXPECT_EQ(with_crlf("a\r\nb\nc"), "a\r\nb\nc");
}

}  // namespace
}  // namespace mailhold::mbox
