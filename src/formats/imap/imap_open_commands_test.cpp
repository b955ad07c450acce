// What a worker that was taken over makes of answers: the filter and a server that keeps to IMAP count the same commands and
// the same messages, whatever the worker sends before the server has spoken.
#include <gtest/gtest.h>

#include "fakes/orderly_imap_server.h"
#include "formats/imap/imap_command_filter.h"

namespace mailhold::imap {
namespace {

const std::string proof = "\"Mailhold proof 0123456789abcdef0123456789abcdef\"";

class ImapOpenCommands : public testing::Test {
 protected:
  void open(Purpose purpose, bool literal_plus = false) {
    filter = std::make_unique<ImapCommandFilter>(CommandRules{purpose, {"*"}, literal_plus});
    server = OrderlyImapServer(1000);
    ended = false;
  }
  // As the relay does it: what a write of the worker's brings goes to the server, also where the session ends with it.
  bool write(std::string_view bytes) {
    if (filter->wants_input() && !ended) ended = !filter->receive(bytes);
    server.receive(filter->take_for_server());
    return !ended;
  }
  void hear(std::string_view line) {
    if (line.starts_with("+")) return filter->server_continues();
    if (line.starts_with("*")) return filter->server_said(line);
    filter->server_answered(line.substr(0, line.find(' ')));
  }
  bool server_speaks() {
    const auto line = server.speak();
    if (line) hear(*line);
    return line.has_value();
  }
  void expect_same_count() {
    while (server_speaks()) continue;
    EXPECT_TRUE(server.strays().empty()) << server.strays().front();
    EXPECT_EQ(server.messages(), filter->appended());
    for (const std::string& command : server.commands()) EXPECT_FALSE(command.starts_with("COPY")) << command;
  }
  ErrorKind end_of(std::string_view bytes) {
    const Status taken = filter->receive(bytes);
    EXPECT_FALSE(taken) << bytes;
    return taken ? ErrorKind::bug : taken.error().kind;
  }
  std::unique_ptr<ImapCommandFilter> filter;
  OrderlyImapServer server{1000};  // of open()
  bool ended = false;
};

// The bytes of the second APPEND would be read as commands by a server that took its head for the first one's message.
TEST_F(ImapOpenCommands, an_answer_to_another_command_of_the_same_tag_lets_no_message_pass) {
  const std::string unseen = "x COPY 1:* " + proof + "\r\n";
  const std::string second = "b APPEND " + proof + " {" + std::to_string(unseen.size()) + "}\r\n";
  const std::string first = "APPEND " + proof + " {" + std::to_string(second.size()) + "}\r\n";
  for (const std::string& eager :
       {"a NOOP\r\nc LIST \"\" *\r\na " + first, "a NOOP\r\nc LIST \"\" *\r\nd " + first, "a NOOP\r\nd " + first}) {
    open(Purpose::backup_prove);
    write(eager);
    server_speaks();  // a OK
    write(second);
    server_speaks();
    server_speaks();
    write(unseen);
    EXPECT_TRUE(ended) << eager;
    expect_same_count();
    for (const std::string& command : server.commands()) EXPECT_FALSE(command.starts_with("APPEND")) << command;
  }
}

// Else the first answer would leave none open, and the second one would be that of the APPEND.
TEST_F(ImapOpenCommands, a_tag_that_is_answered_twice_lets_no_message_pass) {
  for (const std::string& eager : {"a NOOP\r\na NOOP\r\n", "a NOOP\r\nb NOOP\r\n"}) {
    open(Purpose::restore_write);
    write(eager);
    server_speaks();
    write("a APPEND INBOX {9}\r\n");
    server_speaks();
    write("x NOOP\r\n");
    EXPECT_TRUE(ended) << eager;
    expect_same_count();
  }
}

TEST_F(ImapOpenCommands, the_word_of_an_idle_lets_no_message_pass) {
  for (const std::string& eager : {"i IDLE\r\nDONE\r\na APPEND missing {100000000}\r\n", "i IDLE\r\na APPEND missing {9}\r\n"}) {
    open(Purpose::restore_write);
    EXPECT_FALSE(write(eager));
    EXPECT_EQ(server.commands().size(), 0U);
    expect_same_count();
    EXPECT_EQ(server.commands(), std::vector<std::string>{"IDLE"});
  }
}

TEST_F(ImapOpenCommands, an_answer_to_another_command_ends_no_enable) {
  for (const std::string& eager : {"a NOOP\r\na ENABLE UTF8=ACCEPT\r\n", "b NOOP\r\na ENABLE UTF8=ACCEPT\r\n"}) {
    open(Purpose::backup_read);
    EXPECT_FALSE(write(eager));
    expect_same_count();
    EXPECT_EQ(server.commands(), std::vector<std::string>{"NOOP"});
  }
}

TEST_F(ImapOpenCommands, a_tag_comes_again_only_after_its_answer) {
  open(Purpose::restore_write, true);
  ASSERT_TRUE(filter->receive("a NOOP\r\nA NOOP\r\n")) << "they are two";
  filter->server_answered("a");
  ASSERT_TRUE(filter->receive("a NOOP\r\n"));
  filter->server_answered("b");
  filter->server_answered("A");
  EXPECT_EQ(end_of("a NOOP\r\n"), ErrorKind::invalid_input);
  open(Purpose::restore_write, true);
  EXPECT_EQ(end_of("a APPEND INBOX {3+}\r\nabc\r\na NOOP\r\n"), ErrorKind::invalid_input);
  open(Purpose::restore_write, true);
  EXPECT_EQ(end_of("a APPEND INBOX {3+}\r\nabc\r\na APPEND INBOX {3+}\r\nabc\r\n"), ErrorKind::invalid_input);
  EXPECT_EQ(filter->take_for_server(), "a APPEND \"INBOX\" {3+}\r\nabc\r\n");
  open(Purpose::restore_write, true);
  EXPECT_EQ(end_of("DONE NOOP\r\n"), ErrorKind::invalid_input) << "what a server may say of a DONE that came late";
}

TEST_F(ImapOpenCommands, what_is_refused_here_is_not_open) {
  open(Purpose::restore_write);
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(filter->receive("a DELETE x\r\nb XFOO\r\nc APPEND INBOX (\\Deleted) {3}\r\n"));
  EXPECT_EQ(filter->refused(), 9000U);
  ASSERT_TRUE(filter->receive("a APPEND INBOX {3}\r\n"));
  EXPECT_FALSE(filter->wants_input());
}

TEST_F(ImapOpenCommands, no_more_than_so_many_are_open) {
  open(Purpose::backup_read);
  std::string commands;
  for (std::size_t i = 0; i < open_commands_max; ++i) commands += "t" + std::to_string(i) + " UID FETCH 1 (BODY.PEEK[])\r\n";
  ASSERT_TRUE(filter->receive(commands));
  EXPECT_EQ(filter->take_for_server(), commands) << "pipelines are as fast as before";
  filter->server_answered("t500");
  ASSERT_TRUE(filter->receive("x NOOP\r\n"));
  filter->take_for_server();
  EXPECT_EQ(end_of("y NOOP\r\n"), ErrorKind::limit_exceeded);
  EXPECT_EQ(filter->take_for_server(), "");
}

TEST_F(ImapOpenCommands, appends_that_need_not_wait_go_on_one_after_the_other) {
  open(Purpose::restore_write, true);
  std::string commands;
  for (int i = 0; i < 100; ++i) commands += "t" + std::to_string(i) + " APPEND \"INBOX\" {3+}\r\nabc\r\n";
  ASSERT_TRUE(filter->receive(commands));
  EXPECT_EQ(filter->take_for_server(), commands);
  EXPECT_EQ(filter->appended(), 100U);
}

TEST_F(ImapOpenCommands, idling_begins_and_ends_by_the_servers_word) {
  open(Purpose::backup_read);
  ASSERT_TRUE(write("a IDLE\r\n"));
  EXPECT_FALSE(filter->wants_input());
  filter->server_answered("x");
  EXPECT_FALSE(filter->wants_input());
  ASSERT_TRUE(server_speaks());
  EXPECT_TRUE(filter->wants_input());
  ASSERT_TRUE(write("DONE\r\nb NOOP\r\n"));
  expect_same_count();
  ASSERT_TRUE(write("a IDLE\r\n"));
  filter->server_answered("a");  // NO
  ASSERT_TRUE(filter->wants_input());
  ASSERT_TRUE(filter->receive("a NOOP\r\n"));
  // The server ends it by itself: what comes then is a command for both.
  open(Purpose::backup_read);
  ASSERT_TRUE(write("a IDLE\r\n"));
  ASSERT_TRUE(server_speaks());
  hear(*server.end_idle());
  ASSERT_TRUE(write("a NOOP\r\n"));
  expect_same_count();
  EXPECT_EQ(server.commands(), (std::vector<std::string>{"IDLE", "NOOP"}));
}

TEST_F(ImapOpenCommands, what_a_server_says_at_will_changes_nothing) {
  open(Purpose::restore_write);
  for (int i = 0; i < 3000; ++i) {
    filter->server_continues();
    filter->server_answered("t" + std::to_string(i));
    filter->server_answered("");
  }
  ASSERT_TRUE(filter->receive("a APPEND INBOX {3}\r\n"));
  for (const char* tag : {"", "+", "b", "A"}) filter->server_answered(tag);
  EXPECT_FALSE(filter->wants_input());
  filter->server_continues();
  filter->server_continues();
  filter->server_answered("a");  // too early: the rest of the message is a message
  ASSERT_TRUE(filter->receive("abc\r\n"));
  EXPECT_EQ(filter->take_for_server(), "a APPEND \"INBOX\" {3}\r\nabc\r\n");
  ASSERT_TRUE(filter->receive("z LOGOUT\r\n"));
  filter->server_answered("z");
  filter->server_continues();
  ASSERT_TRUE(filter->receive("b NOOP\r\n"));
  EXPECT_EQ(filter->take_for_server(), "z LOGOUT\r\n");
}

}  // namespace
}  // namespace mailhold::imap
