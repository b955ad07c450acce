#include <gtest/gtest.h>

#include "base/text.h"
#include "formats/pop3/pop3_command_filter.h"
#include "formats/pop3/pop3_login.h"

namespace mailhold::pop3 {
namespace {

TEST(Pop3CommandFilter, T19_reading_deletes_nothing) {
  Pop3CommandFilter filter(false);
  ASSERT_TRUE(filter.receive(
      "USER x\r\nPASS y\r\nDELE 1\r\nRSET\r\nAUTH PLAIN\r\nSTLS\r\nAPOP a b\r\nRETR 1\r\nLIST\r\nUTF8\r\nRETR x\r\n"));
  std::string to_server;
  while (filter.has_next()) {
    const auto next = filter.take_next();
    if (!next.is_ours()) to_server += next.line;
  }
  EXPECT_EQ(to_server, "RETR 1\r\nLIST\r\n");
  EXPECT_EQ(filter.refused(), 6U);
  EXPECT_FALSE(filter.receive("NOOP\nDELE 1\r\n"));
}

TEST(Pop3CommandFilter, a_journal_may_be_emptied) {
  Pop3CommandFilter filter(true);
  ASSERT_TRUE(filter.receive("DELE 1\r\nTOP 1 0\r\n"));
  EXPECT_EQ(filter.take_next().line, "DELE 1\r\n");
  EXPECT_TRUE(filter.take_next().many_lines);
}

TEST(Pop3AnswerScanner, finds_the_end_however_it_arrives) {
  const std::string answer = "+OK 12 octets\r\n..stuffed\r\n.x\r\n\r\n.\r\n";
  const std::string bytes = answer + "+OK next\r\n";
  for (std::size_t cut = 0; cut < answer.size(); ++cut) {
    Pop3AnswerScanner scanner;
    scanner.expect(true);
    std::size_t taken = *scanner.scan(std::string_view(bytes).substr(0, cut));
    EXPECT_FALSE(scanner.is_over());
    taken += *scanner.scan(std::string_view(bytes).substr(cut));
    EXPECT_EQ(taken, answer.size()) << cut;
    EXPECT_TRUE(scanner.is_over());
  }
  Pop3AnswerScanner refused;
  refused.expect(true);
  EXPECT_EQ(*refused.scan("-ERR no\r\n+OK\r\n"), 9U);
  refused.expect(false);
  EXPECT_FALSE(refused.scan(std::string(5000, 'x')));
}

LoginSecrets test_secrets() {
  LoginSecrets secrets;
  secrets.choose = [](const std::vector<std::string>& offered) -> Result<LoginWay> {
    return offered.front() == "PLAIN" ? LoginWay::plain : LoginWay::user_and_pass;
  };
  secrets.credential = [](LoginWay) -> Result<SecretText> { return SecretText::copy_of(std::string_view("\0ann\0secret", 11)); };
  secrets.scram = [](int, std::string_view) -> Result<std::string> { return std::string(); };
  return secrets;
}

std::string said_by(Pop3Login& login) {
  std::string all;
  while (auto bytes = login.next_to_send()) all += *bytes;
  return all;
}

TEST(Pop3Login, signs_in_by_plain_or_by_user_and_pass) {
  Pop3Login plain(true, test_secrets());
  ASSERT_TRUE(plain.receive("+OK hi\r\n+OK\r\nSASL PLAIN\r\n.\r\n"));
  EXPECT_EQ(said_by(plain), "CAPA\r\nAUTH PLAIN\r\n");
  ASSERT_TRUE(plain.receive("+ \r\n"));
  EXPECT_EQ(said_by(plain), to_base64(std::string_view("\0ann\0secret", 11)) + "\r\n");
  ASSERT_TRUE(plain.receive("+OK in\r\n"));
  EXPECT_EQ(plain.wants(), Pop3Login::Wants::nothing);

  Pop3Login old(true, test_secrets());
  ASSERT_TRUE(old.receive("+OK hi\r\n-ERR what\r\n+OK\r\n"));
  EXPECT_EQ(said_by(old), "CAPA\r\nUSER ann\r\nPASS secret\r\n");
}

TEST(Pop3Login, signs_in_with_a_token) {
  LoginSecrets secrets = test_secrets();
  secrets.choose = [](const std::vector<std::string>&) -> Result<LoginWay> { return LoginWay::xoauth2; };
  secrets.credential = [](LoginWay way) -> Result<SecretText> {
    return SecretText::copy_of(way == LoginWay::xoauth2 ? "token" : "password");
  };
  Pop3Login login(true, secrets);
  ASSERT_TRUE(login.receive("+OK hi\r\n+OK\r\nSASL XOAUTH2\r\n.\r\n+ \r\n"));
  EXPECT_EQ(said_by(login), "CAPA\r\nAUTH XOAUTH2\r\n" + to_base64("token") + "\r\n");
  ASSERT_TRUE(login.receive("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"));
  EXPECT_EQ(said_by(login), "\r\n");
  EXPECT_EQ(login.receive("-ERR no\r\n").error().kind, ErrorKind::denied);
}

TEST(Pop3Login, a_server_that_cheats_gets_nothing) {
  for (const char* bytes : {"+OK\r\n+OK\r\n.\r\n",                  // STLS stripped
                            "+OK\r\n+OK\r\nSTLS\r\n.\r\n-ERR\r\n",  // or refused
                            "+OK\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n+OK injected\r\n", "-ERR busy\r\n", "hello\r\n", "* OK\r\n"}) {
    Pop3Login login(false, test_secrets());
    EXPECT_FALSE(login.receive(bytes)) << bytes;
    const std::string said = said_by(login);
    EXPECT_EQ(said.find("PASS"), std::string::npos);
    EXPECT_EQ(said.find("AUTH"), std::string::npos);
  }
}

}  // namespace
}  // namespace mailhold::pop3
