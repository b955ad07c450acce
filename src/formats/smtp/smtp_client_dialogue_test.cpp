#include "formats/smtp/smtp_client_dialogue.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "corpora.h"

namespace mailhold::smtp {
namespace {

using Wants = ClientDialogue::Wants;

// Plays a script: "S:" is what the server says, "C:" a line we must have sent (all of a write, line by line), "TLS" the
// handshake.
void play(ClientDialogue& dialogue, std::string_view script) {
  std::string sent;
  for (const std::string_view line : split(script, '\n')) {
    while (const auto bytes = dialogue.next_to_send()) sent += *bytes;
    const std::string text(line.substr(std::min<std::size_t>(3, line.size())));
    if (line.starts_with("S:")) {
      ASSERT_EQ(sent, "") << "sent before: " << line;
      ASSERT_TRUE(dialogue.receive(text + "\r\n")) << line;
    } else if (line.starts_with("C:")) {
      ASSERT_TRUE(sent.starts_with(text + "\r\n")) << line << "\nbut: " << sent;
      sent.erase(0, text.size() + 2);
    } else if (line == "TLS") {
      ASSERT_EQ(dialogue.wants(), Wants::tls);
      dialogue.tls_started();
    }
  }
  while (const auto bytes = dialogue.next_to_send()) sent += *bytes;
  ASSERT_EQ(sent, "") << "sent at the end";
}

ClientSettings plain() { return {.our_name = "us.example", .tls = TlsRule::none, .tls_is_on = false, .authenticate = {}}; }

constexpr auto open_plain = "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 PIPELINING";
constexpr auto open_slow = "S: 220 hi\nC: EHLO us.example\nS: 250 them";

std::string results(const SubmissionOutcome& outcome) {
  std::string text;
  for (const auto& recipient : outcome.recipients)
    text += "dXf"[recipient.result == RecipientResult::delivered ? 0 : recipient.result == RecipientResult::failed ? 2 : 1];
  return text;  // d delivered, X deferred, f failed
}

TEST(SmtpClientDialogue, delivers_with_one_command_at_a_time) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_slow);
  ASSERT_EQ(dialogue.wants(), Wants::message);
  ASSERT_TRUE(dialogue.submit({"ann@a.example", {"bob@b.example", "cid@b.example"}, {}}, "Subject: x\r\n\r\nhello\r\n"));
  play(dialogue, R"(C: MAIL FROM:<ann@a.example>
S: 250 ok
C: RCPT TO:<bob@b.example>
S: 250 ok
C: RCPT TO:<cid@b.example>
S: 250 ok
C: DATA
S: 354 go
C: Subject: x
C: 
C: hello
C: .
S: 250 2.0.0 queued as 1)");
  const auto outcome = dialogue.next_outcome();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(results(*outcome), "dd");
  EXPECT_EQ(outcome->recipients[0].reply.enhanced, "2.0.0");
  dialogue.quit();
  play(dialogue, "C: QUIT\nS: 221 bye");
  EXPECT_EQ(dialogue.wants(), Wants::nothing);
}

TEST(SmtpClientDialogue, pipelines_and_reports_each_recipient) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example", "c@b.example", "d@b.example"}, {}}, "x\r\n"));
  play(dialogue, R"(C: MAIL FROM:<>
C: RCPT TO:<a@b.example>
C: RCPT TO:<c@b.example>
C: RCPT TO:<d@b.example>
C: DATA
S: 250 ok
S: 250 ok
S: 550 5.1.1 no such user
S: 450 4.2.1 later
S: 354 go
C: x
C: .
S: 250 ok)");
  EXPECT_EQ(results(*dialogue.next_outcome()), "dfX");
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, "y"));  // a second message over the same session
  play(dialogue,
       "C: MAIL FROM:<>\nC: RCPT TO:<a@b.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: y\nC: .\nS: 451 4.3.0 disk");
  EXPECT_EQ(results(*dialogue.next_outcome()), "X");
}

TEST(SmtpClientDialogue, all_recipients_refused_with_data_pipelined_sends_only_the_dot) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, "secret\r\n"));
  play(dialogue, "C: MAIL FROM:<>\nC: RCPT TO:<a@b.example>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\nC: .\nS: 250 fine");
  EXPECT_EQ(results(*dialogue.next_outcome()), "f");
}

TEST(SmtpClientDialogue, a_refused_sender_refuses_all_and_resets) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_slow);
  ASSERT_TRUE(dialogue.submit({"x@a.example", {"a@b.example", "c@b.example"}, {}}, "x\r\n"));
  play(dialogue, "C: MAIL FROM:<x@a.example>\nS: 550 5.7.1 not you\nC: RSET\nS: 250 ok");
  EXPECT_EQ(results(*dialogue.next_outcome()), "ff");
  EXPECT_EQ(dialogue.wants(), Wants::message);
}

TEST(SmtpClientDialogue, stuffs_dots_and_mends_line_ends) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, ".first\r\n.\r\nbare\n.\nlone\r.\rend"));
  while (dialogue.next_to_send()) {
  }
  ASSERT_TRUE(dialogue.receive("250 ok\r\n250 ok\r\n354 go\r\n"));
  std::string sent;
  while (const auto bytes = dialogue.next_to_send()) sent += *bytes;
  EXPECT_EQ(sent, "..first\r\n..\r\nbare\r\n..\r\nlone\r\n..\r\nend\r\n.\r\n");
  EXPECT_TRUE(dialogue.message_is_out());
}

TEST(SmtpClientDialogue, a_long_message_goes_out_in_chunks_and_whole) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += (i % 7 == 0 ? ".line " : "line ") + std::to_string(i) + "\r\n";
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, body));
  while (dialogue.next_to_send()) {
  }
  ASSERT_TRUE(dialogue.receive("250 ok\r\n250 ok\r\n354 go\r\n"));
  std::string sent;
  while (const auto bytes = dialogue.next_to_send()) {
    EXPECT_LT(bytes->size(), 140'000U);
    sent += *bytes;
  }
  std::string unstuffed;
  for (std::size_t at = 0; at < sent.size() - 3;) {
    const std::size_t end = sent.find("\r\n", at) + 2;
    unstuffed += sent.substr(at + (sent[at] == '.' ? 1 : 0), end - at - (sent[at] == '.' ? 1 : 0));
    at = end;
  }
  EXPECT_EQ(unstuffed, body);
}

TEST(SmtpClientDialogue, upgrades_to_tls_and_asks_again) {
  ClientSettings settings = plain();
  settings.tls = TlsRule::required;
  ClientDialogue dialogue(settings);
  play(dialogue,
       "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250-PIPELINING\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO "
       "us.example\nS: 250-them\nS: 250 SIZE 1000");
  EXPECT_EQ(dialogue.wants(), Wants::message);
  EXPECT_TRUE(dialogue.tls_is_on());
  EXPECT_FALSE(dialogue.offers().pipelining);  // forgotten with the plain session
  EXPECT_EQ(dialogue.offers().size_max, 1000U);
}

TEST(SmtpClientDialogue, a_stripped_starttls_is_an_error_never_clear_text) {
  ClientSettings settings = plain();
  settings.tls = TlsRule::required;
  ClientDialogue dialogue(settings);
  play(dialogue, "S: 220 hi\nC: EHLO us.example");
  EXPECT_EQ(dialogue.receive("250 them\r\n").error().kind, ErrorKind::denied);
  EXPECT_FALSE(dialogue.next_to_send());
  ClientDialogue no_ehlo(settings);
  play(no_ehlo, "S: 220 hi\nC: EHLO us.example");
  EXPECT_EQ(no_ehlo.receive("502 what\r\n").error().kind, ErrorKind::denied);
  ClientDialogue refused(settings);
  play(refused, "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 STARTTLS\nC: STARTTLS");
  EXPECT_EQ(refused.receive("454 not now\r\n").error().kind, ErrorKind::denied);
}

TEST(SmtpClientDialogue, plain_bytes_behind_the_starttls_reply_are_an_injection) {
  ClientSettings settings = plain();
  settings.tls = TlsRule::required;
  ClientDialogue dialogue(settings);
  play(dialogue, "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 STARTTLS\nC: STARTTLS");
  EXPECT_EQ(dialogue.receive("220 go\r\n250-them\r\n250 AUTH PLAIN\r\n").error().kind, ErrorKind::invalid_input);
}

TEST(SmtpClientDialogue, opportunistic_tls_goes_on_without) {
  ClientSettings settings = plain();
  settings.tls = TlsRule::opportunistic;
  ClientDialogue dialogue(settings);
  play(dialogue, "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 no");
  EXPECT_EQ(dialogue.wants(), Wants::message);
}

TEST(SmtpClientDialogue, falls_back_to_helo) {
  ClientDialogue dialogue(plain());
  play(dialogue, "S: 220 hi\nC: EHLO us.example\nS: 502 what\nC: HELO us.example\nS: 250 them");
  EXPECT_EQ(dialogue.wants(), Wants::message);
}

ClientSettings with_password(int& asked) {
  ClientSettings settings = plain();
  settings.tls = TlsRule::required;
  settings.authenticate = [&asked]() -> Result<SecretText> {
    ++asked;
    return SecretText::copy_of("AGEAYg==");
  };
  return settings;
}

TEST(SmtpClientDialogue, signs_in_with_plain_only_after_tls) {
  int asked = 0;
  ClientDialogue dialogue(with_password(asked));
  play(dialogue, "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go");
  EXPECT_EQ(asked, 0);
  play(dialogue, "TLS\nC: EHLO us.example\nS: 250-them\nS: 250 AUTH LOGIN PLAIN\nC: AUTH PLAIN AGEAYg==\nS: 235 2.7.0 in");
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(dialogue.wants(), Wants::message);

  ClientDialogue wrong(with_password(asked));
  play(wrong,
       "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO us.example\nS: "
       "250-them\nS: 250 AUTH=PLAIN\nC: AUTH PLAIN AGEAYg==");
  EXPECT_EQ(wrong.receive("535 5.7.8 no\r\n").error().kind, ErrorKind::denied);
  ASSERT_TRUE(wrong.refusal());
  EXPECT_EQ(wrong.refusal()->code, 535);
}

constexpr const char* open_tls =
    "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO us.example\n";

TEST(SmtpClientDialogue, signs_in_with_login_where_there_is_nothing_better) {
  int asked = 0;
  ClientDialogue dialogue(with_password(asked));
  play(
      dialogue,
      std::string(open_tls) +
          "S: 250-them\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YQ==\nS: 334 UGFzc3dvcmQ6\nC: Yg==\nS: 235 in");
  EXPECT_EQ(dialogue.wants(), Wants::message);
  ClientDialogue endless(with_password(asked));
  play(endless, std::string(open_tls) +
                    "S: 250-them\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YQ==\nS: 334 UGFzc3dvcmQ6\nC: Yg==");
  EXPECT_EQ(endless.receive("334 bW9yZQ==\r\n").error().kind, ErrorKind::invalid_input);
}

TEST(SmtpClientDialogue, scram_comes_before_plain_and_is_checked) {
  int asked = 0;
  ClientSettings settings = with_password(asked);
  settings.scram = [](int step, std::string_view server) -> Result<std::string> {
    return step == 0 ? "first" : step == 1 ? "final after " + std::string(server) : std::string();
  };
  ClientDialogue dialogue(settings);
  play(dialogue,
       std::string(open_tls) +
           "S: 250-them\nS: 250 AUTH PLAIN SCRAM-SHA-256\nC: AUTH SCRAM-SHA-256 Zmlyc3Q=\nS: 334 cj14\nC: ZmluYWwgYWZ0ZXIgcj14");
  EXPECT_EQ(dialogue.receive("235 in, without a proof of mine\r\n").error().kind, ErrorKind::denied);
  ClientDialogue proved(settings);
  play(proved, std::string(open_tls) +
                   "S: 250-them\nS: 250 AUTH PLAIN SCRAM-SHA-256\nC: AUTH SCRAM-SHA-256 Zmlyc3Q=\nS: 334 cj14\nC: "
                   "ZmluYWwgYWZ0ZXIgcj14\nS: 334 dj14\nC: \nS: 235 in");
  EXPECT_EQ(proved.wants(), Wants::message);
  EXPECT_EQ(asked, 0);
}

ClientSettings with_token(int& asked) {
  ClientSettings settings = plain();
  settings.tls = TlsRule::required;
  settings.xoauth2 = [&asked]() -> Result<SecretText> {
    ++asked;
    return SecretText::copy_of("dG9rZW4=");
  };
  return settings;
}

TEST(SmtpClientDialogue, signs_in_with_a_token_when_the_server_has_asked_for_it) {
  int asked = 0;
  ClientDialogue dialogue(with_token(asked));
  play(dialogue, std::string(open_tls) + "S: 250-them\nS: 250 AUTH PLAIN XOAUTH2\nC: AUTH XOAUTH2");
  EXPECT_EQ(asked, 0);
  play(dialogue, "S: 334 \nC: dG9rZW4=\nS: 235 2.7.0 in");
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(dialogue.wants(), Wants::message);

  // A refusal comes as a challenge with the reason in JSON, an empty line, and then the last word.
  ClientDialogue refused(with_token(asked));
  const std::string to_refusal = std::string(open_tls) +
                                 "S: 250-them\nS: 250 AUTH XOAUTH2\nC: AUTH XOAUTH2\nS: 334 \nC: dG9rZW4=\nS: 334 "
                                 "eyJzdGF0dXMiOiI0MDEifQ==\nC: ";
  play(refused, to_refusal);
  EXPECT_EQ(refused.receive("535 5.7.8 no\r\n").error().kind, ErrorKind::denied);
  ASSERT_TRUE(refused.refusal());
  EXPECT_EQ(refused.refusal()->code, 535);
  for (const char* more : {"235 after all\r\n", "334 bW9yZQ==\r\n"}) {
    ClientDialogue cheating(with_token(asked));
    play(cheating, to_refusal);
    EXPECT_EQ(cheating.receive(more).error().kind, ErrorKind::invalid_input) << more;
  }
}

TEST(SmtpClientDialogue, a_token_goes_nowhere_without_tls_or_as_a_password) {
  int asked = 0;
  ClientSettings settings = with_token(asked);
  settings.tls = TlsRule::none;
  ClientDialogue clear(settings);
  EXPECT_EQ(clear.receive("220 hi\r\n").error().kind, ErrorKind::denied);
  ClientDialogue stripped(with_token(asked));
  play(stripped, "S: 220 hi\nC: EHLO us.example");
  EXPECT_EQ(stripped.receive("250-them\r\n250 AUTH XOAUTH2\r\n").error().kind, ErrorKind::denied);
  ClientDialogue passwords_only(with_token(asked));
  play(passwords_only, open_tls);
  EXPECT_EQ(passwords_only.receive("250-them\r\n250 AUTH PLAIN LOGIN\r\n").error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, 0);
}

TEST(SmtpClientDialogue, a_credential_is_not_even_asked_for_without_tls) {
  int asked = 0;
  ClientSettings settings = with_password(asked);
  settings.tls = TlsRule::none;
  ClientDialogue dialogue(settings);
  EXPECT_EQ(dialogue.receive("220 hi\r\n").error().kind, ErrorKind::denied);
  ClientDialogue not_offered(with_password(asked));
  play(not_offered,
       "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO us.example");
  EXPECT_EQ(not_offered.receive("250-them\r\n250 AUTH CRAM-MD5\r\n").error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, 0);
}

TEST(SmtpClientDialogue, success_before_the_message_was_sent_delivers_nothing) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, "x\r\n"));
  while (dialogue.next_to_send()) {
  }
  EXPECT_EQ(dialogue.receive("250 ok\r\n250 ok\r\n354 go\r\n250 got it all\r\n").error().kind, ErrorKind::invalid_input);
  EXPECT_FALSE(dialogue.next_outcome());
}

TEST(SmtpClientDialogue, a_final_250_counts_whatever_follows) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, "x\r\n"));
  play(dialogue, "C: MAIL FROM:<>\nC: RCPT TO:<a@b.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .");
  EXPECT_FALSE(dialogue.receive("250 queued\r\ngarbage\r\n"));
  EXPECT_EQ(results(*dialogue.next_outcome()), "d");
  EXPECT_EQ(dialogue.wants(), Wants::nothing);
}

TEST(SmtpClientDialogue, a_server_that_hangs_up_with_421_defers_what_is_under_way) {
  for (const int replies_before : {0, 1, 2, 3}) {
    ClientDialogue dialogue(plain());
    play(dialogue, open_plain);
    ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, "x\r\n"));
    while (dialogue.next_to_send()) {
    }
    const std::string replies[] = {"250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
    for (int i = 0; i < replies_before; ++i) ASSERT_TRUE(dialogue.receive(replies[i]));
    if (replies_before == 3)
      while (dialogue.next_to_send()) {
      }
    EXPECT_EQ(dialogue.receive("421 4.3.2 closing\r\n").error().kind, ErrorKind::unavailable);
    EXPECT_EQ(results(*dialogue.next_outcome()), "X");
  }
}

TEST(SmtpClientDialogue, a_refusal_in_the_middle_of_the_message_ends_the_session) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  const std::string body(300'000, 'x');
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, body));
  while (dialogue.next_to_send()) {
  }
  ASSERT_TRUE(dialogue.receive("250 ok\r\n250 ok\r\n354 go\r\n"));
  ASSERT_TRUE(dialogue.next_to_send());  // a part
  EXPECT_EQ(dialogue.receive("552 5.3.4 too big\r\n").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(results(*dialogue.next_outcome()), "f");
  EXPECT_FALSE(dialogue.next_to_send());
}

TEST(SmtpClientDialogue, replies_nobody_asked_for_are_an_error) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_slow);
  EXPECT_EQ(dialogue.receive("250 hello again\r\n").error().kind, ErrorKind::invalid_input);
  ClientDialogue eager(plain());
  EXPECT_FALSE(eager.receive("220 hi\r\n250 x\r\n250 x\r\n"));
}

TEST(SmtpClientDialogue, endless_lines_and_replies_are_refused) {
  ClientDialogue line(plain());
  EXPECT_EQ(line.receive("220 " + std::string(100'000, 'x')).error().kind, ErrorKind::limit_exceeded);
  ClientDialogue lines(plain());
  Status status = done();
  for (int i = 0; i < 10'000 && status; ++i) status = lines.receive("220-more\r\n");
  EXPECT_EQ(status.error().kind, ErrorKind::limit_exceeded);
}

TEST(SmtpClientDialogue, an_address_cannot_carry_a_command) {
  for (const char* bad : {"a@b\r\nRCPT TO:<evil@x>", "a@b>", "a b@c", "a@b\xc3\xa4", "\"open@b"}) {
    ClientDialogue dialogue(plain());
    play(dialogue, open_plain);
    EXPECT_EQ(dialogue.submit({"", {bad}, {}}, "x").error().kind, ErrorKind::invalid_input) << bad;
    EXPECT_EQ(dialogue.wants(), Wants::message);
    EXPECT_TRUE(dialogue.submit({"", {"\"quoted > space\"@b.example"}, {}}, "x"));
  }
}

TEST(SmtpClientDialogue, tells_size_and_eight_bit_and_does_not_send_what_is_too_large) {
  ClientDialogue dialogue(plain());
  play(dialogue, "S: 220 hi\nC: EHLO us.example\nS: 250-them\nS: 250-SIZE 20\nS: 250-DSN\nS: 250 8BITMIME");
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, "id1"}, "\xc3\xa4\r\n"));
  play(dialogue, "C: MAIL FROM:<> SIZE=4 BODY=8BITMIME ENVID=id1\nS: 550 no\nC: RSET\nS: 250 ok");
  EXPECT_EQ(results(*dialogue.next_outcome()), "f");
  ASSERT_TRUE(dialogue.submit({"", {"a@b.example"}, {}}, std::string(21, 'x')));
  EXPECT_EQ(dialogue.next_outcome()->recipients[0].reply.enhanced, "5.3.4");
  EXPECT_EQ(dialogue.wants(), Wants::message);
}

TEST(SmtpClientDialogue, many_recipients_go_out_in_groups) {
  ClientDialogue dialogue(plain());
  play(dialogue, open_plain);
  ClientEnvelope envelope;
  for (int i = 0; i < 350; ++i) envelope.rcpt_to.push_back("r" + std::to_string(i) + "@b.example");
  ASSERT_TRUE(dialogue.submit(envelope, "x\r\n"));
  bool has_sent_body = false;
  for (int rounds = 0; rounds < 1000 && !has_sent_body; ++rounds) {
    std::string sent;
    while (const auto bytes = dialogue.next_to_send()) sent += *bytes;
    has_sent_body = sent.ends_with("\r\n.\r\n");
    std::string replies;
    for (const std::string_view line : split(sent, '\n')) {
      if (line.starts_with("MAIL") || line.starts_with("RCPT")) replies += "250 ok\r\n";
      if (line.starts_with("DATA")) replies += "354 go\r\n";
    }
    ASSERT_LE(replies.size(), 101U * 8);
    if (!has_sent_body) ASSERT_TRUE(dialogue.receive(replies));
  }
  ASSERT_TRUE(dialogue.receive("250 ok\r\n"));
  EXPECT_EQ(results(*dialogue.next_outcome()), std::string(350, 'd'));
}

TEST(SmtpClientDialogue, reads_the_replies_of_real_servers) {
  CORPUS_OR_RETURN(folder, "mailkit-imap-pop-smtp");
  int read = 0;
  int greetings = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "Smtp/Resources")) {
    ++read;
    std::string text;
    const std::string file = read_whole_file(entry.path());
    for (const std::string_view line : split(file, '\n')) {
      if (!trim(line).empty()) text.append(trim(line)).append("\r\n");
    }
    ClientDialogue after_greeting(plain());
    ASSERT_TRUE(after_greeting.receive("220 hi\r\n"));
    while (after_greeting.next_to_send()) {
    }
    const bool taken = static_cast<bool>(after_greeting.receive(text));
    if (entry.path().filename().string().starts_with("comcast-ehlo")) {
      EXPECT_TRUE(taken) << entry.path();
      EXPECT_EQ(after_greeting.wants(), Wants::message) << entry.path();
      EXPECT_TRUE(after_greeting.offers().eight_bit) << entry.path();
      ++greetings;
    }
  }
  std::printf("mailkit-imap-pop-smtp smtp: %d reply files read, %d EHLO replies understood\n", read, greetings);
  EXPECT_GT(greetings, 0);
}

}  // namespace
}  // namespace mailhold::smtp
