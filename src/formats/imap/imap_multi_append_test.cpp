// Several messages in one APPEND (RFC 3502), between a worker that was taken over and the server.
#include <gtest/gtest.h>

#include "formats/imap/folder_name.h"
#include "formats/imap/imap_command_filter.h"
#include "formats/imap/imap_response.h"

namespace mailhold::imap {
namespace {

const std::string date = "\"02-Nov-2026 10:00:00 +0000\"";
const std::string first = "a APPEND INBOX (\\Seen) {3+}\r\nabc", first_at_server = "a APPEND \"INBOX\" (\\Seen) {3+}\r\nabc";

class ImapMultiAppend : public testing::Test {
 protected:
  static ImapCommandFilter filter_for(std::vector<std::string> folders, bool literal_plus = true, bool multi_append = true) {
    return ImapCommandFilter({Purpose::restore_write, std::move(folders), literal_plus, multi_append});
  }
  struct Outcome {
    std::string server, worker;
    std::optional<Error> end;
    std::uint64_t appended = 0, refused = 0;
  };
  static Outcome run(ImapCommandFilter filter, std::string_view bytes, std::size_t cut = 0) {
    Outcome outcome;
    Status taken = filter.receive(bytes.substr(0, cut));
    if (taken) taken = filter.receive(bytes.substr(cut));
    if (!taken) outcome.end = taken.error();
    outcome.server = filter.take_for_server();
    outcome.worker = filter.take_for_worker();
    outcome.appended = filter.appended();
    outcome.refused = filter.refused();
    return outcome;
  }
  // What follows the first message, up to the session's end: the server has the first one, nothing more, and no end of the
  // command.
  static void expect_end(const std::string& behind, ErrorKind kind = ErrorKind::denied) {
    const std::string bytes = first + behind;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const Outcome outcome = run(filter_for({"INBOX"}), bytes, cut);
      ASSERT_TRUE(outcome.end) << behind;
      EXPECT_EQ(outcome.end->kind, kind) << behind << ": " << outcome.end->detail;
      EXPECT_EQ(outcome.server, first_at_server) << behind;
      EXPECT_EQ(outcome.worker, "") << behind;
      EXPECT_EQ(outcome.appended, 0U) << behind;
    }
  }
};

TEST_F(ImapMultiAppend, all_messages_of_a_command_go_on) {
  const Outcome outcome = run(filter_for({"INBOX"}), first + " {5+}\r\nhello (\\Flagged $Label1) " + date + " {4+}\r\n\r\n\r\n " +
                                                         date + " {1+}\r\nx ()  {2+}\r\n");
  EXPECT_TRUE(outcome.end) << "two spaces";
  const std::string good =
      " {5+}\r\nhello (\\Flagged $Label1) " + date + " {4+}\r\n\r\n\r\n " + date + " {1+}\r\nx () {2+}\r\nyz\r\n";
  const std::string bytes = first + good + "b NOOP\r\nc DELETE x\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const Outcome whole = run(filter_for({"INBOX"}), bytes, cut);
    EXPECT_FALSE(whole.end);
    EXPECT_EQ(whole.server, first_at_server + good + "b NOOP\r\n") << cut;
    EXPECT_TRUE(whole.worker.starts_with("c NO")) << whole.worker;
    EXPECT_EQ(whole.appended, 5U);
  }
}

TEST_F(ImapMultiAppend, is_written_in_one_way) {
  const Outcome outcome =
      run(filter_for({"*"}), "a append {4}\r\nS\"nt \" 2-nov-2026 10:00:00 +0000\" {3}\r\nabc (a[ \\Seen) {005+}\r\nhello\r\n");
  EXPECT_FALSE(outcome.end) << outcome.end->detail;
  EXPECT_EQ(outcome.server, "a APPEND \"S\\\"nt\" \"02-Nov-2026 10:00:00 +0000\" {3+}\r\nabc (a[ \\Seen) {5+}\r\nhello\r\n");
  EXPECT_EQ(outcome.worker, "+ go on\r\n+ go on\r\n");
}

TEST_F(ImapMultiAppend, T19_what_is_refused_behind_a_message_ends_the_session) {
  expect_end(" (\\Deleted) {3+}\r\nabc\r\n");
  expect_end(" (\\Seen \\dELETED) {3+}\r\nabc\r\n");
  expect_end(" INBOX {3+}\r\nabc\r\n");
  expect_end(" \"INBOX\" (\\Seen) {3+}\r\nabc\r\n");
  expect_end(" (\\Seen) \"yesterday\" {3+}\r\nabc\r\n");
  expect_end(" (\\Seen) \"\" {3+}\r\nabc\r\n");
  expect_end(" (\\Seen) " + date + " " + date + " {3+}\r\nabc\r\n");
  expect_end(" " + date + " (\\Seen) {3+}\r\nabc\r\n");
  expect_end(" (\\Seen) (\\Seen) {3+}\r\nabc\r\n");
  expect_end(" (\\Seen)" + date + " {3+}\r\nabc\r\n");
  expect_end(" ((\\Seen)) {3+}\r\nabc\r\n");
  expect_end(" ( ) {3+}\r\nabc\r\n");
  expect_end("  {3+}\r\nabc\r\n");
  expect_end("  (\\Seen) {3+}\r\nabc\r\n");
  expect_end(" (\\Seen)  {3+}\r\nabc\r\n");
  expect_end(" (a\"b) {3+}\r\nabc\r\n");
  expect_end(" (\\) {3+}\r\nabc\r\n");
  expect_end(" (\\Seen {3+}\r\nabc\r\n");
  expect_end(" UTF8 (~{3+}\r\nabc)\r\n", ErrorKind::invalid_input);
  expect_end(" ~{3+}\r\nabc\r\n", ErrorKind::invalid_input);
  expect_end(" CATENATE (URL \"/Private/;UID=1\") {3+}\r\nabc\r\n");
  expect_end(" URL \"/Private/;UID=1\" {3+}\r\nabc\r\n");
}

TEST_F(ImapMultiAppend, what_cannot_be_framed_behind_a_message_ends_the_session) {
  for (const char* behind :
       {" {3}\r\nabc\r\n", " (\\Seen) {3}\r\nabc\r\n", "{3+}\r\nabc\r\n", "b NOOP\r\n", " \r\n", "  {3+}x\r\n",
        " (\\Seen){3+}\r\nabc\r\n", " {-3+}\r\nabc\r\n", " {99999999999+}\r\n", " {+}\r\n", " CATENATE (URL \"x\")\r\n"})
    expect_end(behind, ErrorKind::invalid_input);
  expect_end(" {0+}\r\n\r\n", ErrorKind::limit_exceeded);
  expect_end(" {" + std::to_string(append_bytes_max + 1) + "+}\r\n", ErrorKind::limit_exceeded);
  expect_end(" {" + std::to_string(append_bytes_max - 2) + "+}\r\n", ErrorKind::limit_exceeded);  // together with the first one
  EXPECT_FALSE(run(filter_for({"INBOX"}), first + " {" + std::to_string(append_bytes_max - 3) + "+}\r\n").end);
  EXPECT_TRUE(run(filter_for({"INBOX"}), first + " (" + std::string(command_bytes_max, 'x') + ") {3+}\r\nabc\r\n").end);
}

TEST_F(ImapMultiAppend, the_first_message_has_the_same_words) {
  for (const std::string& options :
       std::vector<std::string>{"CATENATE (URL \"/Private/;UID=1\")", "\"(\\\\Deleted)\"", "(\\Seen) \"no date\"", "(\\Seen) x",
                                date + " (\\Seen)", "UTF8", "(\\Seen) \"a", "((a))", "", " (\\Seen)", "(\\Seen) "}) {
    const Outcome outcome = run(filter_for({"*"}), "a APPEND INBOX " + options + " {3+}\r\nabc\r\nb NOOP\r\n");
    EXPECT_FALSE(outcome.end) << options;
    EXPECT_EQ(outcome.server, "b NOOP\r\n") << options;
    EXPECT_TRUE(outcome.worker.starts_with("a NO [NOPERM]")) << outcome.worker;
  }
}

TEST_F(ImapMultiAppend, a_command_has_so_many_messages_and_the_next_one_as_many) {
  const auto command = [](std::size_t count, const std::string& tag = "a") {
    std::string bytes = tag + " APPEND INBOX {1+}\r\nx";
    for (std::size_t i = 1; i < count; ++i) bytes += " {1+}\r\nx";
    return bytes + "\r\n";
  };
  EXPECT_EQ(run(filter_for({"*"}), command(append_messages_max) + command(append_messages_max, "b")).appended,
            2 * append_messages_max);
  const Outcome more = run(filter_for({"*"}), command(append_messages_max + 1));
  ASSERT_TRUE(more.end);
  EXPECT_EQ(more.end->kind, ErrorKind::limit_exceeded);
  EXPECT_TRUE(run(filter_for({}), command(append_messages_max + 1)).end) << "nor of one that is refused";
}

TEST_F(ImapMultiAppend, is_for_servers_that_take_it_and_their_literals_without_asking) {
  const std::string two = first + " {3+}\r\nabc\r\n";
  EXPECT_TRUE(run(filter_for({"*"}, true, false), two).end);
  auto asking = filter_for({"*"}, false, true);
  ASSERT_TRUE(asking.receive("a APPEND INBOX {3}\r\n"));
  asking.server_continues();
  EXPECT_FALSE(asking.receive("abc {3+}\r\nabc\r\n"));
  EXPECT_EQ(asking.take_for_server(), "a APPEND \"INBOX\" {3}\r\nabc");
}

TEST_F(ImapMultiAppend, T19_behind_a_refused_message_all_others_are_passed_over) {
  const std::string behind =
      " (\\Seen) {26+}\r\n\r\nb DELETE INBOX\r\nc NOOP\r\n (\\Deleted) {5+}\r\nhello CATENATE {1+}\r\nx\r\nd NOOP\r\n";
  const std::string bytes = "a APPEND Private {3+}\r\nabc" + behind;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const Outcome outcome = run(filter_for({"INBOX"}), bytes, cut);
    EXPECT_FALSE(outcome.end);
    EXPECT_EQ(outcome.server, "d NOOP\r\n") << cut;
    EXPECT_EQ(outcome.worker, "a NO [NOPERM] the folder is outside the scope of this connection\r\n") << cut;
    EXPECT_EQ(outcome.appended, 0U);
    EXPECT_EQ(outcome.refused, 1U);
  }
  EXPECT_TRUE(run(filter_for({"INBOX"}), "a APPEND Private {3+}\r\nabc {3}\r\nabc\r\n").end);
  EXPECT_TRUE(run(filter_for({"INBOX"}), "a APPEND Private {3+}\r\nabc b\r\n").end);
}

TEST_F(ImapMultiAppend, whatever_a_worker_may_write_as_flags_and_date_passes) {
  for (int letter = 0; letter < 256; ++letter) {
    const std::string flag = std::string("a") + static_cast<char>(letter);
    const std::string options = "(" + flag + ") \"" + write_internal_date({letter * 86'399'000LL * 100, letter - 100}) + "\"";
    const Outcome outcome = run(filter_for({"*"}), first + " " + options + " {3+}\r\nabc\r\n");
    EXPECT_EQ(!outcome.end, is_flag(flag)) << letter;
  }
}

TEST(ShownCapabilities, several_messages_are_for_who_restores) {
  const auto shows = [](Purpose purpose, const std::vector<std::string>& offered) {
    const auto shown = shown_capabilities(purpose, offered);
    return std::find(shown.begin(), shown.end(), "MULTIAPPEND") != shown.end();
  };
  EXPECT_TRUE(shows(Purpose::restore_write, {"IMAP4rev1", "multiappend", "Literal+"}));
  EXPECT_FALSE(shows(Purpose::restore_write, {"IMAP4rev1", "MULTIAPPEND", "LITERAL-"}));
  // The filter takes no literal that does not wait from a worker whose server has no LITERAL+, so that none is told of LITERAL-.
  EXPECT_TRUE(shown_capabilities(Purpose::restore_write, {"LITERAL-"}).empty());
  EXPECT_FALSE(shows(Purpose::restore_write, {"IMAP4rev1", "LITERAL+"}));
  for (const Purpose purpose : {Purpose::backup_read, Purpose::journal, Purpose::backup_prove})
    EXPECT_FALSE(shows(purpose, {"IMAP4rev1", "MULTIAPPEND", "LITERAL+"}));
}

}  // namespace
}  // namespace mailhold::imap
