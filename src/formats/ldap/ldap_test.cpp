#include <gtest/gtest.h>

#include "formats/ldap/ber.h"
#include "formats/ldap/ldap_request_filter.h"

namespace mailhold::ldap {
namespace {

const std::string present = element(0x87, "objectClass");

std::string asked(const std::string& base, const std::vector<std::string>& attributes = {"cn"},
                  const std::string& filter = present, int scope = 2, int aliases = 0) {
  std::string names;
  for (const auto& each : attributes) names += element(tag_octets, each);
  const auto number = [](std::uint8_t tag, int value) { return integer(tag, static_cast<std::uint32_t>(value)); };
  const std::string content = element(tag_octets, base) + number(tag_enumerated, scope) + number(tag_enumerated, aliases) +
                              number(tag_integer, 0) + number(tag_integer, 0) + element(tag_boolean, std::string(1, '\0')) +
                              filter + element(tag_sequence, names);
  return element(tag_sequence, number(tag_integer, 7) + element(0x63, content));
}

bool passes(const std::string& bytes) {
  const auto message = parse_message(bytes);
  return message && check_request(*message, {"OU=People, DC=example,DC=test"});
}

TEST(LdapRequestFilter, searches_below_the_base_pass) {
  EXPECT_TRUE(passes(asked("ou=people,dc=example,dc=test")));
  EXPECT_TRUE(passes(asked("CN=Ann, OU=People,DC=Example,DC=Test", {"mail", "memberOf;range=0-1", "1.1"})));
  EXPECT_TRUE(passes(asked("", {"namingContexts", "+"}, present, 0)));
}

TEST(LdapRequestFilter, T19_what_is_outside_of_the_policy_is_refused) {
  EXPECT_FALSE(passes(asked("dc=example,dc=test")));
  EXPECT_FALSE(passes(asked("")));
  EXPECT_FALSE(passes(asked("xou=people,dc=example,dc=test")));
  EXPECT_FALSE(passes(asked("cn=a\\,ou=people,dc=example,dc=test")));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"cn", "userPassword"})));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"UNICODEPWD;binary"})));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"2.5.4.35"})));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"krbPrincipalKey"})));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"*"})));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {})));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"cn"}, present, 2, 3)));
  const std::string guess = element(0xa4, element(tag_octets, "userPassword") + element(tag_sequence, element(0x80, "a")));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"cn"}, guess)));
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"cn"}, element(0xa0, present + element(0xa2, guess)))));
  EXPECT_FALSE(
      passes(asked("ou=people,dc=example,dc=test", {"cn"}, element(0xa9, element(0x82, "userPassword") + element(0x83, "x")))));
  std::string deep = present;
  for (int i = 0; i < 100; ++i) deep = element(0xa2, deep);
  EXPECT_FALSE(passes(asked("ou=people,dc=example,dc=test", {"cn"}, deep)));
}

TEST(BindResponse, a_refusal_has_a_reason_in_our_own_words) {
  const auto reason = [](std::uint32_t code, const std::string& diagnostic) {
    const std::string content = integer(tag_enumerated, code) + element(tag_octets, "") + element(tag_octets, diagnostic);
    const std::string bytes = element(tag_sequence, integer(tag_integer, 2) + element(0x61, content));
    return std::string(reason_of_refusal(*parse_message(bytes)));
  };
  const std::string text = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data ";
  EXPECT_EQ(reason(49, text + "52e, v1db1"), "wrong user or password");
  EXPECT_EQ(reason(49, text + "533, v1db1"), "the account is disabled");
  EXPECT_EQ(reason(49, text + "775"), "the account is locked");
  EXPECT_EQ(reason(49, text + "52e1, v1db1"), "");
  EXPECT_EQ(reason(49, text + "words of the server"), "");
  EXPECT_EQ(reason(49, ""), "wrong user or password");
  EXPECT_EQ(reason(8, text + "52e, v1db1"), "");
  EXPECT_EQ(reason_of_refusal({2, 0x61, "\x0a\x01", {}}), "");
}

TEST(LdapRequestFilter, T19_nothing_is_changed) {
  for (const int operation : {0x60, 0x66, 0x68, 0x4a, 0x6c, 0x6e}) {
    EXPECT_FALSE(passes(element(tag_sequence, integer(tag_integer, 1) + element(static_cast<std::uint8_t>(operation), "x"))))
        << operation;
  }
  EXPECT_FALSE(passes(start_tls_request(1)));
  EXPECT_TRUE(passes(element(tag_sequence, integer(tag_integer, 1) + element(0x77, element(0x80, "1.3.6.1.4.1.4203.1.11.3")))));
  EXPECT_TRUE(passes(element(tag_sequence, integer(tag_integer, 1) + element(0x42, ""))));
  const std::string proxied = element(0xa0, element(tag_sequence, element(tag_octets, "2.16.840.1.113730.3.4.18")));
  EXPECT_FALSE(passes(element(tag_sequence, integer(tag_integer, 1) + element(0x42, "") + proxied)));
}

TEST(LdapMessage, a_bind_is_written_as_rfc_4511_has_it) {
  const std::string_view bytes(
      "\x30\x16\x02\x01\x02\x60\x11\x02\x01\x03\x04\x04"
      "cn=a"
      "\x80\x06"
      "secret",
      24);
  EXPECT_EQ(simple_bind_request(2, "cn=a", "secret").reveal(), bytes);
  EXPECT_TRUE(parse_message(simple_bind_request(300, std::string(200, 'd'), std::string(300, 'p')).reveal()));
}

TEST(Ber, lengths_are_definite_and_bounded) {
  EXPECT_FALSE(*element_size("\x30"));
  EXPECT_FALSE(element_size(std::string_view("\x30\x80", 2)));
  EXPECT_FALSE(element_size("\x30\x85xxxxx"));
  EXPECT_FALSE(element_size("\x3fx"));
  EXPECT_EQ(**element_size(std::string_view("\x30\x82\x01\x00", 4)), 260U);
  const std::string message = asked("x");
  for (std::size_t size = 0; size < message.size(); ++size) EXPECT_FALSE(parse_message(message.substr(0, size)));
  EXPECT_FALSE(parse_message(message + "x"));
}

}  // namespace
}  // namespace mailhold::ldap
