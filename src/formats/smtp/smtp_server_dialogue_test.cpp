#include "formats/smtp/smtp_server_dialogue.h"

#include <gtest/gtest.h>

namespace mailhold::smtp {
namespace {

using Event = ServerDialogue::Event;

class AcceptsExampleTest final : public SessionRules {
 public:
  std::optional<Reply> refuse_mail(const MailParameters&) override { return std::nullopt; }
  std::optional<Reply> refuse_recipient(const Address& recipient) override {
    if (recipient.domain == "example.test") return std::nullopt;
    return reply(550, "5.7.1", "relay refused");
  }
  void forget_transaction() override { ++forgotten; }
  int forgotten = 0;
};

class SmtpServer : public testing::Test {
 protected:
  SmtpServer() {
    settings.host_name = "mx.example.net";
    settings.offer_starttls = true;
    settings.message_bytes_max = 100'000;
  }

  // Says it all, accepts every message, gives what came back.
  std::string say(std::string_view bytes) {
    dialogue.output().clear();
    last = Event::need_input;
    while (!bytes.empty() && last != Event::close) {
      last = dialogue.run(bytes);
      if (last == Event::message) {
        messages.push_back(dialogue.take_message());
        dialogue.finish_message(reply(250, "2.0.0", "kept"));
      } else if (last == Event::start_tls) {
        dialogue.tls_started();
      }
    }
    return dialogue.output();
  }
  std::string codes(std::string_view bytes) {
    std::string all;
    ReplyReader reader;
    EXPECT_TRUE(reader.receive(say(bytes)));
    while (const auto next = reader.next()) all += (all.empty() ? "" : " ") + std::to_string(next->code);
    return all;
  }
  void open_transaction() {
    EXPECT_EQ(codes("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n"), "250 250 250 354");
  }

  ServerSettings settings;
  AcceptsExampleTest rules;
  ServerDialogue dialogue{settings, rules};
  std::vector<ReceivedMessage> messages;
  Event last = Event::need_input;
};

TEST_F(SmtpServer, greets_with_its_name) {
  dialogue.greet();
  EXPECT_EQ(dialogue.output(), "220 mx.example.net ESMTP Mailhold\r\n");
}

TEST_F(SmtpServer, announces_exactly_what_it_does) {
  EXPECT_EQ(say("EHLO c.test\r\n"),
            "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE "
            "100000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250 HELP\r\n");
  EXPECT_EQ(say("HELO c.test\r\n"), "250 mx.example.net\r\n");
}

TEST_F(SmtpServer, takes_a_message) {
  open_transaction();
  EXPECT_EQ(codes("Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n"), "250 221");
  EXPECT_EQ(last, Event::close);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].content, "Subject: x\r\n\r\nhello\r\n");
  EXPECT_EQ(messages[0].mail.from.text(), "a@b.test");
  EXPECT_EQ(messages[0].recipients.at(0).text(), "ann@example.test");
}

TEST_F(SmtpServer, answers_pipelined_commands_in_order_and_at_once) {
  EXPECT_EQ(
      codes(
          "EHLO c.test\r\nMAIL FROM:<> SIZE=20 BODY=8BITMIME\r\nRCPT TO:<ann@example.test>\r\nRCPT TO:<x@else.test>\r\nDATA\r\n"),
      "250 250 250 550 354");
  EXPECT_EQ(codes("a\r\n.\r\nMAIL FROM:<z@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nb\r\n.\r\n"), "250 250 250 354 250");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_TRUE(messages[0].mail.from.is_null());
  EXPECT_TRUE(messages[0].mail.eight_bit);
  EXPECT_EQ(messages[0].mail.size, 20u);
  EXPECT_EQ(messages[1].content, "b\r\n");
}

TEST_F(SmtpServer, undoes_dot_stuffing_exactly) {
  open_transaction();
  say("..\r\n...\r\n.x\r\na.\r\n..x\r\n\r\n..\r\n.\r\n");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].content, ".\r\n..\r\nx\r\na.\r\n.x\r\n\r\n.\r\n");
}

TEST_F(SmtpServer, gives_the_same_result_however_the_network_cuts) {
  const std::string whole =
      "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n..a\r\n.\rb\r\n\r\n.\r\n"
      "MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\nsecond\r\n..\r\n.\r\nQUIT\r\n";
  const std::string expected = [&] {
    say(whole);
    return messages.at(0).content + "|";
  }();
  for (std::size_t cut = 1; cut < 9; ++cut) {
    AcceptsExampleTest other_rules;
    ServerDialogue other(settings, other_rules);
    std::string seen;
    for (std::size_t at = 0; at < whole.size(); at += cut) {
      std::string_view piece = std::string_view(whole).substr(at, cut);
      while (!piece.empty()) {
        const Event event = other.run(piece);
        if (event == Event::message) {
          seen += other.take_message().content + "|";
          other.finish_message(reply(250, "2.0.0", "kept"));
        }
        if (event == Event::close) break;
      }
    }
    EXPECT_EQ(seen, expected) << cut;
  }
}

TEST_F(SmtpServer, starttls_forgets_the_session_and_what_was_injected) {
  EXPECT_EQ(codes("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nSTARTTLS\r\nRCPT TO:<ann@example.test>\r\nNOOP\r\n"), "250 250 220");
  EXPECT_EQ(rules.forgotten, 1);
  EXPECT_EQ(codes("RCPT TO:<ann@example.test>\r\nMAIL FROM:<a@b.test>\r\n"), "503 503");
  EXPECT_EQ(say("EHLO c.test\r\n").find("STARTTLS"), std::string::npos);
  EXPECT_EQ(codes("STARTTLS\r\n"), "503");
}

TEST_F(SmtpServer, does_not_start_tls_without_a_certificate) {
  settings.offer_starttls = false;
  EXPECT_EQ(codes("EHLO c.test\r\nSTARTTLS\r\n"), "250 502");
}

struct Case {
  const char* input;
  const char* codes;
};

TEST_F(SmtpServer, answers_each_fault_with_its_code) {
  const Case cases[] = {
      {"MAIL FROM:<a@b.test>\r\n", "503"},
      {"HELO\r\n", "501"},
      {"EHLO\r\n", "501"},
      {"EHLO two words\r\n", "501"},
      {"EHLO c.test\r\n", "250"},
      {"RCPT TO:<ann@example.test>\r\n", "503"},
      {"DATA\r\n", "503"},
      {"MAIL\r\n", "501"},
      {"MAIL LALA:<>\r\n", "501"},
      {"MAIL FROM:\r\n", "501"},
      {"MAIL FROM:<pepe>\r\n", "501"},
      {"MAIL FROM:<a@b.test>X\r\n", "501"},
      {"MAIL FROM:<a@b.test> SIZE=abc\r\n", "501"},
      {"MAIL FROM:<a@b.test> SIZE=100001\r\n", "552"},
  };
  for (const Case& one : cases) EXPECT_EQ(codes(one.input), one.codes) << one.input;
}

TEST_F(SmtpServer, answers_each_fault_in_a_transaction_with_its_code) {
  const Case cases[] = {
      {"EHLO c.test\r\n", "250"},
      {"MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n", "555"},
      {"MAIL FROM:<a@b.test> SMTPUTF8\r\n", "555"},
      {"MAIL FROM:<a@b.test> BODY=7BIT\r\n", "250"},
      {"MAIL FROM:<a@b.test>\r\n", "503"},
      {"DATA\r\n", "554"},
      {"RCPT TO:<>\r\n", "501"},
      {"RCPT TO:<ann@example.test> NOTIFY=NEVER\r\n", "555"},
      {"RCPT TO:<ann@else.test>\r\n", "550"},
      {"RCPT TO:<\xc3\xa4@example.test>\r\n", "553"},
      {"RCPT TO:<@hop.test,@two.test:ann@example.test>\r\n", "250"},
      {"DATA now\r\n", "501"},
      {"RSET\r\n", "250"},
      {"RCPT TO:<ann@example.test>\r\n", "503"},
      {"NOOP x\r\n", "250"},
      {"VRFY ann\r\n", "252"},
      {"HELP\r\n", "214"},
      {"AUTH PLAIN AAAA\r\n", "502"},
      {"BDAT 3 LAST\r\n", "502"},
      {"WHATISTHIS\r\n", "500"},
      {"\r\n", "500"},
      {"noop\r\n", "250"},
      {"NOOP\n", "500"},
  };
  for (const Case& one : cases) EXPECT_EQ(codes(one.input), one.codes) << one.input;
}

TEST_F(SmtpServer, closes_on_a_browser) {
  EXPECT_EQ(codes("POST / HTTP/1.1\r\nEHLO c.test\r\n"), "502");
  EXPECT_EQ(last, Event::close);
}

TEST_F(SmtpServer, refuses_long_lines_and_finds_their_end) {
  EXPECT_EQ(codes("EHLO " + std::string(600, 'a') + "\r\nNOOP\r\n"), "500 250");
  EXPECT_EQ(codes("EHLO " + std::string(100'000, 'a') + "\r\nNOOP\r\n"), "500 250");
  EXPECT_EQ(codes("EHLO c.test\r\nMAIL FROM:<a@b.test>" + std::string(600, ' ') + "SIZE=1\r\n"), "250 250");
}

TEST_F(SmtpServer, closes_after_too_many_errors_or_unknown_commands) {
  std::string junk;
  for (int i = 0; i < 30; ++i) junk += "XYZZY\r\n";
  EXPECT_EQ(codes(junk), "500 500 500 500 500 500 500 500 500 500 421");
  EXPECT_EQ(last, Event::close);
}

TEST_F(SmtpServer, too_many_recipients_is_a_temporary_refusal_and_no_error) {
  settings.recipients_max = 2;
  std::string many = "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n";
  for (int i = 0; i < 40; ++i) many += "RCPT TO:<ann@example.test>\r\n";
  EXPECT_NE(say(many).find("452 4.5.3"), std::string::npos);
  EXPECT_EQ(codes("DATA\r\n.\r\n"), "354 250");
  EXPECT_EQ(messages.at(0).recipients.size(), 2u);
}

TEST_F(SmtpServer, refuses_what_is_too_big_only_after_its_end) {
  open_transaction();
  EXPECT_EQ(codes(std::string(99'000, 'a') + "\r\n" + std::string(2'000, 'b') + "\r\nMAIL FROM:<x@y.test>\r\n"), "");
  EXPECT_EQ(codes(".\r\nNOOP\r\n"), "552 250");
  EXPECT_TRUE(messages.empty());
}

TEST_F(SmtpServer, cuts_off_content_without_end) {
  open_transaction();
  EXPECT_EQ(codes(std::string(3'000'000, 'a')), "421");
  EXPECT_EQ(last, Event::close);
}

TEST_F(SmtpServer, refuses_nul_and_bare_newlines_in_content) {
  for (const char* bad : {"a\rb\r\n.\r\n", "a\nb\r\n.\r\n", "\n\r\n.\r\n"}) {
    open_transaction();
    const std::string answer = say(bad);
    EXPECT_EQ(answer.substr(0, 10), "550 5.6.11") << bad;
  }
  open_transaction();
  EXPECT_EQ(say(std::string_view("a\0b\r\n.\r\n", 8)).substr(0, 9), "550 5.6.0");
  EXPECT_TRUE(messages.empty());
}

TEST_F(SmtpServer, normalises_bare_newlines_when_told_to) {
  settings.bare_newlines = BareNewlines::normalise;
  open_transaction();
  say("a\nb\rc\r\n.\n.\r\n.\r\n");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].content, "a\r\nb c\r\n\r\n.\r\n");
}

TEST_F(SmtpServer, postmaster_needs_no_domain) {
  EXPECT_EQ(codes("EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n"),
            "250 250 550");  // asked of the rules as postmaster@mx.example.net
}

}  // namespace
}  // namespace mailhold::smtp
