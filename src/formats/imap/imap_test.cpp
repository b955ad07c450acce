#include <gtest/gtest.h>

#include "base/log.h"
#include "base/text.h"
#include "formats/imap/imap_command_filter.h"
#include "formats/imap/imap_login.h"
#include "formats/imap/imap_response_scanner.h"

namespace mailhold::imap {
namespace {

ImapCommandFilter filter_for(Purpose purpose, bool literal_plus = true, std::vector<std::string> folders = {"*"}) {
  return ImapCommandFilter({purpose, std::move(folders), literal_plus});
}

struct Outcome {
  std::string server, worker;
  bool ended = false;
};
Outcome run(ImapCommandFilter filter, std::string_view bytes) {
  Outcome outcome;
  outcome.ended = !filter.receive(bytes);
  outcome.server = filter.take_for_server();
  outcome.worker = filter.take_for_worker();
  return outcome;
}

TEST(ImapCommandFilter, T19_reading_lets_nothing_else_through) {
  for (const char* command : {"LOGIN ann secret",
                              "AUTHENTICATE PLAIN",
                              "STARTTLS",
                              "COMPRESS DEFLATE",
                              "SELECT INBOX",
                              "STORE 1 +FLAGS (\\Deleted)",
                              "EXPUNGE",
                              "CLOSE",
                              "DELETE Archive",
                              "RENAME a b",
                              "CREATE x",
                              "COPY 1 Trash",
                              "MOVE 1 Trash",
                              "UID COPY 1 Trash",
                              "UID MOVE 1 Trash",
                              "UID STORE 1 FLAGS ()",
                              "UID EXPUNGE 1",
                              "SETACL INBOX eve lrs",
                              "SETQUOTA x ()",
                              "SUBSCRIBE x",
                              "UNAUTHENTICATE",
                              "GETMETADATA INBOX x",
                              "NOTIFY NONE",
                              "uid  store 1",
                              "XFOO"}) {
    const Outcome outcome = run(filter_for(Purpose::backup_read), std::string("a1 ") + command + "\r\n");
    EXPECT_EQ(outcome.server, "") << command;
    EXPECT_TRUE(outcome.worker.starts_with("a1 NO") || outcome.worker.starts_with("a1 BAD")) << outcome.worker;
  }
}

TEST(ImapCommandFilter, reading_passes_as_it_was_said) {
  const std::string commands =
      "a EXAMINE \"Sent \\\"Items\\\"\" (CONDSTORE)\r\nb UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO)])\r\nc uid "
      "search all\r\nd LIST \"\" "
      "\"*\"\r\ne NOOP\r\n";
  const Outcome outcome = run(filter_for(Purpose::backup_read), commands);
  EXPECT_EQ(outcome.server, commands);
  EXPECT_EQ(outcome.worker, "");
}

TEST(ImapCommandFilter, T19_commands_in_pipelines_and_literals_are_seen) {
  // A refused command between two that pass; what stands in a literal is a word and no command.
  Outcome outcome = run(filter_for(Purpose::backup_read), "a NOOP\r\nb DELETE x\r\nc NOOP\r\n");
  EXPECT_EQ(outcome.server, "a NOOP\r\nc NOOP\r\n");
  EXPECT_EQ(outcome.worker.substr(0, 4), "b NO");
  outcome = run(filter_for(Purpose::backup_read), "a EXAMINE {5}\r\nINBOX\r\nb NOOP\r\n");
  EXPECT_EQ(outcome.server, "a EXAMINE \"INBOX\"\r\nb NOOP\r\n");
  EXPECT_EQ(outcome.worker, "+ go on\r\n");
  // Neither a line end nor a byte above ASCII can hide in a literal, nor a literal in a word.
  EXPECT_TRUE(run(filter_for(Purpose::backup_read), "a EXAMINE {13+}\r\nx\r\nb DELETE y\r\n").ended);
  EXPECT_TRUE(run(filter_for(Purpose::backup_read), "a EXAMINE x{5+}\r\nINBOX\r\n").ended);
  EXPECT_TRUE(run(filter_for(Purpose::backup_read), "a NOOP\nb DELETE x\r\n").ended);
  EXPECT_EQ(run(filter_for(Purpose::backup_read), "a FETCH 1 {5}x\r\n").server, "");
  EXPECT_TRUE(run(filter_for(Purpose::backup_read), "a EXAMINE {99999999999}\r\n").server.empty());
  EXPECT_TRUE(run(filter_for(Purpose::backup_read), "a EXAMINE {2000+}\r\n" + std::string(3000, 'x')).ended);
}

TEST(ImapCommandFilter, folders_outside_the_scope_are_refused) {
  const std::vector<std::string> folders = {"INBOX", "Archive/*"};
  const auto server_sees = [&](const std::string& command) {
    return run(filter_for(Purpose::restore_write, true, folders), "a " + command + "\r\n").server != "";
  };
  EXPECT_TRUE(server_sees("EXAMINE inbox"));
  EXPECT_TRUE(server_sees("SELECT \"Archive/2026\""));
  EXPECT_TRUE(server_sees("STATUS {12+}\r\nArchive/2026 (MESSAGES)"));
  EXPECT_FALSE(server_sees("EXAMINE Private"));
  EXPECT_FALSE(server_sees("EXAMINE Archive"));
  EXPECT_FALSE(server_sees("EXAMINE \"Arch\\\"ive/2026\""));
  EXPECT_FALSE(server_sees("EXAMINE {7+}\r\nPrivate"));
  EXPECT_FALSE(server_sees("CREATE Private"));
  EXPECT_FALSE(server_sees("STATUS Private (MESSAGES)"));
  EXPECT_FALSE(server_sees("APPEND Private {3+}\r\nabc"));
}

TEST(ImapCommandFilter, a_proof_reaches_its_own_folder_and_nothing_else) {
  const std::string name = "\"Mailhold proof 0123456789abcdef0123456789abcdef\"";
  const auto server_sees = [&](const std::string& command, const std::vector<std::string>& scope = {"*"}) {
    return !run(filter_for(Purpose::backup_prove, true, scope), "a " + command + "\r\n").server.empty();
  };
  for (const char* command : {"CREATE ", "SELECT ", "EXAMINE ", "DELETE "}) {
    EXPECT_TRUE(server_sees(command + name)) << command;
    EXPECT_TRUE(server_sees(command + name, {"Archive/*"})) << "whatever the scope is";
    for (const char* other :
         {"INBOX", "Archive", "\"Mailhold proof\"", "\"Mailhold proof x\"", "\"Mailhold proof 0123456789abcdef0123456789abcde\"",
          "\"Mailhold proof 0123456789abcdef0123456789abcdef0\"", "\"Mailhold proof 0123456789ABCDEF0123456789abcdef\"",
          "\"Mailhold proof 0123456789abcdef0123456789abcdef/x\"", "\"x/Mailhold proof 0123456789abcdef0123456789abcdef\"",
          "\"INBOX/INBOX\"", "\"mailhold proof 0123456789abcdef0123456789abcdef\"", "\"INBOX.Sent\"", "\"\"", "*"})
      EXPECT_FALSE(server_sees(std::string(command) + other)) << command << other;
  }
  EXPECT_TRUE(server_sees("CREATE \"INBOX.Mailhold proof 0123456789abcdef0123456789abcdef\"")) << "where servers want it there";
  EXPECT_TRUE(server_sees("APPEND " + name + " (\\Seen) {3+}\r\nabc"));
  EXPECT_FALSE(server_sees("APPEND INBOX (\\Seen) {3+}\r\nabc"));
  EXPECT_FALSE(server_sees("APPEND " + name + " (\\Deleted) {3+}\r\nabc"));
  for (const char* command :
       {"UID FETCH 1:* (BODY.PEEK[])", "UID STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "UNSELECT", "LIST \"\" \"*\""})
    EXPECT_TRUE(server_sees(command)) << command;
  // No word that could bring a message of the mailbox there, or take one away elsewhere.
  for (const std::string& command :
       {"COPY 1 " + name, "UID MOVE 1 " + name, "RENAME INBOX " + name, "RENAME " + name + " x",
        std::string("STORE 1 +FLAGS (\\Seen)"), std::string("UID STORE 1 FLAGS ()"), std::string("STATUS INBOX (MESSAGES)"),
        std::string("CLOSE"), "SUBSCRIBE " + name, std::string("SEARCH ALL"), std::string("UID SEARCH ALL"), std::string("IDLE"),
        std::string("LSUB \"\" \"*\""), std::string("CHECK")})
    EXPECT_FALSE(server_sees(command)) << command;
  // And the word for deletion is this purpose's alone.
  EXPECT_EQ(run(filter_for(Purpose::restore_write), "a DELETE " + name + "\r\n").server, "");
  EXPECT_EQ(run(filter_for(Purpose::restore_write), "a EXPUNGE\r\n").server, "");
  EXPECT_EQ(run(filter_for(Purpose::backup_read), "a CREATE " + name + "\r\n").server, "");
}

TEST(ImapCommandFilter, what_is_restored_goes_on_as_one_literal) {
  const Outcome plus = run(filter_for(Purpose::restore_write),
                           "a append INBOX (\\Seen) \"02-Nov-2026 10:00:00 +0000\" {11}\r\nb EXPUNGE\r\n\r\nc NOOP\r\n");
  EXPECT_EQ(plus.server, "a APPEND \"INBOX\" (\\Seen) \"02-Nov-2026 10:00:00 +0000\" {11+}\r\nb EXPUNGE\r\n\r\nc NOOP\r\n");
  EXPECT_EQ(plus.worker, "+ go on\r\n");
  EXPECT_TRUE(run(filter_for(Purpose::restore_write), "a APPEND INBOX {3+}\r\nabc {5+}\r\nhello\r\n").ended);  // not offered
  EXPECT_EQ(run(filter_for(Purpose::restore_write), "a APPEND INBOX (\\Deleted) {3+}\r\nabc\r\nb NOOP\r\n").server, "b NOOP\r\n");
  EXPECT_EQ(run(filter_for(Purpose::restore_write), "a UID STORE 1 +FLAGS.SILENT (\\dElEted)\r\n").server, "");
  EXPECT_EQ(run(filter_for(Purpose::backup_read), "a APPEND INBOX {3+}\r\nabc\r\nb NOOP\r\n").server, "b NOOP\r\n");
}

TEST(ImapCommandFilter, T19_a_refused_message_cannot_become_a_command) {
  // The server takes no LITERAL+: nothing is sent before its word, and when it says NO, what follows is read as commands here.
  auto filter = filter_for(Purpose::restore_write, false);
  ASSERT_TRUE(filter.receive("a APPEND INBOX {14}\r\n"));
  EXPECT_EQ(filter.take_for_server(), "a APPEND \"INBOX\" {14}\r\n");
  EXPECT_FALSE(filter.wants_input());
  filter.server_answered("x");
  EXPECT_FALSE(filter.wants_input());
  filter.server_answered("a");
  ASSERT_TRUE(filter.wants_input());
  ASSERT_TRUE(filter.receive("b DELETE Sent\r\n"));
  EXPECT_EQ(filter.take_for_server(), "");
  EXPECT_TRUE(filter.take_for_worker().starts_with("b NO"));

  auto eager = filter_for(Purpose::restore_write, false);
  EXPECT_FALSE(eager.receive("a APPEND INBOX {14}\r\nb DELETE Sent\r\n"));
  auto taken = filter_for(Purpose::restore_write, false);
  ASSERT_TRUE(taken.receive("a APPEND INBOX {3}\r\n"));
  taken.server_continues();
  ASSERT_TRUE(taken.receive("abc\r\n"));
  EXPECT_EQ(taken.take_for_server(), "a APPEND \"INBOX\" {3}\r\nabc\r\n");
  EXPECT_EQ(taken.appended(), 1U);
}

TEST(ImapCommandFilter, a_journal_may_be_emptied_and_nothing_more) {
  EXPECT_NE(run(filter_for(Purpose::journal), "a UID STORE 1:9 +FLAGS.SILENT (\\Deleted)\r\n").server, "");
  EXPECT_NE(run(filter_for(Purpose::journal), "a UID EXPUNGE 1:9\r\n").server, "");
  EXPECT_EQ(run(filter_for(Purpose::journal), "a STORE 1 +FLAGS (\\Seen)\r\n").server, "");
  EXPECT_EQ(run(filter_for(Purpose::journal), "a APPEND INBOX {3+}\r\nabc\r\n").server, "");
  EXPECT_EQ(run(filter_for(Purpose::journal), "a DELETE INBOX\r\n").server, "");
}

TEST(ImapCommandFilter, during_idle_only_done_passes) {
  const auto after_idling = [](std::string_view bytes) {
    auto filter = filter_for(Purpose::backup_read);
    EXPECT_TRUE(filter.receive("a IDLE\r\n"));
    filter.server_continues();
    return run(std::move(filter), bytes);
  };
  EXPECT_EQ(after_idling("DONE\r\nb NOOP\r\n").server, "a IDLE\r\nDONE\r\nb NOOP\r\n");
  EXPECT_TRUE(after_idling("b NOOP\r\n").ended);
  EXPECT_TRUE(run(filter_for(Purpose::backup_read), "a IDLE\r\nDONE\r\n").ended);
}

TEST(ImapCommandFilter, it_does_not_matter_how_bytes_arrive) {
  const std::string bytes =
      "a EXAMINE {5}\r\nINBOX\r\nb DELETE {3+}\r\nabc\r\nc APPEND INBOX {5}\r\nhello\r\nd LOGOUT\r\ne NOOP\r\n";
  const Outcome whole = run(filter_for(Purpose::restore_write), bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    auto filter = filter_for(Purpose::restore_write);
    ASSERT_TRUE(filter.receive(bytes.substr(0, cut)));
    ASSERT_TRUE(filter.receive(bytes.substr(cut)));
    EXPECT_EQ(filter.take_for_server(), whole.server) << cut;
    EXPECT_EQ(filter.take_for_worker(), whole.worker) << cut;
  }
}

struct Piece {
  ResponsePiece::Kind kind;
  std::string bytes, tag;
};

std::vector<Piece> pieces_of(std::string_view bytes, std::size_t cut) {
  ImapResponseScanner scanner;
  std::vector<Piece> pieces;
  for (const auto part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    EXPECT_TRUE(scanner.receive(part));
    while (auto piece = scanner.next()) {
      if (piece->kind == ResponsePiece::Kind::literal && !pieces.empty() && pieces.back().kind == piece->kind)
        pieces.back().bytes += piece->bytes;
      else
        pieces.push_back({piece->kind, std::string(piece->bytes), piece->tag});
    }
  }
  return pieces;
}

TEST(ImapResponseScanner, messages_are_counted_and_text_in_them_is_not) {
  const std::string bytes =
      "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 5 BODY[] {34}\r\n* 3 FETCH (BODY[] {5}\r\na OK {9}\r\nx UID 7)\r\n* OK text "
      "{12}\r\n+ idling\r\na OK done {3}\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto pieces = pieces_of(bytes, cut);
    ASSERT_EQ(pieces.size(), 7U) << cut;
    using Kind = ResponsePiece::Kind;
    const Kind kinds[] = {Kind::text, Kind::item, Kind::literal, Kind::text, Kind::text, Kind::continuation, Kind::tagged};
    std::string all;
    for (std::size_t i = 0; i < 7; ++i) {
      EXPECT_EQ(pieces[i].kind, kinds[i]) << i << " at " << cut;
      all += pieces[i].bytes;
    }
    EXPECT_EQ(all, bytes);
    EXPECT_EQ(pieces[6].tag, "a");
  }
}

TEST(ImapResponseScanner, a_line_without_end_is_an_error) {
  ImapResponseScanner scanner;
  Status state = done();
  const std::string line(16UL * 1024, 'x');
  for (int i = 0; i < 600 && state; ++i) {
    state = scanner.receive(line);
    EXPECT_FALSE(scanner.next());
  }
  EXPECT_EQ(state.error().kind, ErrorKind::limit_exceeded);
}

LoginSecrets test_secrets() {
  LoginSecrets secrets;
  secrets.choose = [](const std::vector<std::string>& offered) -> Result<LoginWay> {
    for (const auto& each : offered)
      if (each == "PLAIN") return LoginWay::plain;
    if (!offered.empty()) return LoginWay::login;
    return Error{ErrorKind::denied, "no way in"};
  };
  secrets.credential = [](LoginWay) -> Result<SecretText> {
    return SecretText::copy_of(std::string_view("\0ann\0pass\"word", 14));
  };
  secrets.scram = [](int, std::string_view) -> Result<std::string> { return std::string("x"); };
  return secrets;
}

std::string said_by(ImapLogin& login) {
  std::string all;
  while (auto bytes = login.next_to_send()) all += *bytes;
  return all;
}

TEST(ImapLogin, signs_in_after_starttls) {
  ImapLogin login({false, "ab"}, test_secrets());
  ASSERT_TRUE(login.receive("* OK hello\r\n"));
  EXPECT_EQ(said_by(login), "m1 CAPABILITY\r\n");
  ASSERT_TRUE(login.receive("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nm1 OK\r\n"));
  EXPECT_EQ(said_by(login), "m2 STARTTLS\r\n");
  ASSERT_TRUE(login.receive("m2 OK go\r\n"));
  ASSERT_EQ(login.wants(), ImapLogin::Wants::tls);
  login.tls_started();
  EXPECT_EQ(said_by(login), "m3 CAPABILITY\r\n");
  ASSERT_TRUE(login.receive("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nm3 OK\r\n"));
  EXPECT_EQ(said_by(login), "m4 AUTHENTICATE PLAIN\r\n");
  ASSERT_TRUE(login.receive("+ \r\n"));
  EXPECT_EQ(said_by(login), to_base64(std::string_view("\0ann\0pass\"word", 14)) + "\r\n");
  ASSERT_TRUE(login.receive("m4 OK\r\n"));
  ASSERT_TRUE(login.receive("* CAPABILITY IMAP4rev1 ID\r\nm5 OK\r\n"));
  EXPECT_EQ(said_by(login), "m5 CAPABILITY\r\nm6 ID (\"x-use\" \"ab\")\r\n");
  ASSERT_TRUE(login.receive("* ID NIL\r\nm6 OK\r\n"));
  EXPECT_EQ(login.wants(), ImapLogin::Wants::nothing);
}

TEST(ImapLogin, a_server_that_cheats_gets_nothing) {
  const auto error_of = [](bool tls, const std::vector<std::string>& lines) {
    ImapLogin login({tls, ""}, test_secrets());
    std::string said;
    for (const auto& line : lines) {
      const Status taken = login.receive(line);
      said += said_by(login);
      if (!taken) {
        EXPECT_EQ(said.find("YW5u"), std::string::npos);  // no part of the credential
        EXPECT_EQ(said.find("LOGIN"), std::string::npos);
        return name_of(taken.error().kind);
      }
    }
    return std::string_view("none");
  };
  EXPECT_EQ(error_of(false, {"* PREAUTH you are in\r\n"}), "denied");
  EXPECT_EQ(error_of(false, {"* BYE\r\n"}), "unavailable");
  EXPECT_EQ(error_of(false, {"* OK\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nm1 OK\r\n"}), "denied");  // STARTTLS stripped
  EXPECT_EQ(error_of(false, {"* OK\r\n", "* CAPABILITY STARTTLS\r\nm1 OK\r\n", "m2 OK\r\n* CAPABILITY AUTH=PLAIN\r\n"}),
            "invalid_input");
  EXPECT_EQ(error_of(false, {"* OK\r\n", "* CAPABILITY STARTTLS\r\nm1 OK\r\n", "m2 NO\r\n"}), "denied");
  EXPECT_EQ(error_of(true, {"* OK\r\n", "* CAPABILITY LOGINDISABLED\r\nm1 OK\r\n"}), "denied");
  EXPECT_EQ(error_of(true, {"* OK\r\n", "m7 OK\r\n"}), "invalid_input");
  EXPECT_EQ(error_of(true, {"* OK\r\n", "+ cGxlYXNl\r\n"}), "invalid_input");
  EXPECT_EQ(error_of(true, {"* OK\r\n", "* 1 FETCH {3}\r\n"}), "invalid_input");
  EXPECT_EQ(error_of(true, {"* OK\r\n", std::string(9000, 'x')}), "limit_exceeded");
  // A server that has too much to do says nothing of the credential.
  const auto refused_by = [&](const std::string& answer) {
    ImapLogin login({true, ""}, test_secrets());
    for (const char* line : {"* OK\r\n", "* CAPABILITY AUTH=PLAIN\r\nm1 OK\r\n", "+ \r\n"}) EXPECT_TRUE(login.receive(line));
    return name_of(login.receive("m2 " + answer + "\r\n").error().kind);
  };
  for (const char* later : {"NO [UNAVAILABLE] busy", "NO [LIMIT]", "no [throttled] slow down"})
    EXPECT_EQ(refused_by(later), "unavailable") << later;
  for (const char* wrong : {"NO [AUTHENTICATIONFAILED] no", "NO no [LIMIT]", "NO", "BAD [LIMIT] x", "NO [", "NO [LIMITED]"})
    EXPECT_EQ(refused_by(wrong), "denied") << wrong;
  std::string endless;
  for (int i = 0; i < 600; ++i) endless += "* OK still there\r\n";
  EXPECT_EQ(error_of(true, {"* OK\r\n", endless}), "limit_exceeded");
}

}  // namespace
}  // namespace mailhold::imap
