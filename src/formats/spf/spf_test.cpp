#include "formats/spf/spf.h"

#include <gtest/gtest.h>

#include "formats/spf/spf_record.h"

namespace mailhold::spf {
namespace {

Verdict check_with(const std::string& record, const std::string& mail_from = "ann@example.com") {
  return check({.client_ip = *dns::parse_address("192.0.2.1"), .helo = "mail.example.com", .mail_from = mail_from},
               [&](const dns::Question& question) {
                 if (question.name != "example.com" || question.type != dns::RecordType::txt)
                   return dns::Answer{.status = dns::AnswerStatus::nxdomain};
                 return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{record, 0}}};
               });
}

TEST(Spf, names_the_term_that_decided) {
  const Verdict verdict = check_with("v=spf1 ip4:192.0.2.0/24 -all");
  EXPECT_EQ(verdict.outcome, Outcome::pass);
  EXPECT_EQ(verdict.term, "ip4:192.0.2.0/24");
  EXPECT_EQ(verdict.domain, "example.com");
}

TEST(Spf, checks_helo_for_the_null_reverse_path) {
  const Verdict verdict = check_with("v=spf1 -all", "");
  EXPECT_TRUE(verdict.checked_helo);
  EXPECT_EQ(verdict.domain, "mail.example.com");
  EXPECT_EQ(verdict.outcome, Outcome::none);
}

TEST(Spf, stops_at_three_void_lookups) {
  EXPECT_EQ(check_with("v=spf1 a:a.example a:b.example -all").outcome, Outcome::fail);
  EXPECT_EQ(check_with("v=spf1 a:a.example a:b.example a:c.example -all").outcome, Outcome::permerror);
}

TEST(Spf, a_record_that_includes_itself_ends) {
  const Verdict verdict = check_with("v=spf1 include:example.com -all");
  EXPECT_EQ(verdict.outcome, Outcome::permerror);
  EXPECT_EQ(verdict.problem, "more than 10 terms that ask DNS");
}

TEST(Spf, ten_terms_may_ask_dns_and_not_eleven) {
  const auto check_terms = [](int count) {
    std::string record = "v=spf1";
    for (int i = 0; i < count; ++i) record += " a:host" + std::to_string(i) + ".example";
    return check({.client_ip = *dns::parse_address("192.0.2.1"), .helo = "h", .mail_from = "ann@example.com"},
                 [&](const dns::Question& question) {
                   const bool is_record = question.type == dns::RecordType::txt;
                   return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{is_record ? record : "\x01\x02\x03\x04", 0}}};
                 });
  };
  EXPECT_EQ(check_terms(10).outcome, Outcome::neutral);
  EXPECT_EQ(check_terms(11).outcome, Outcome::permerror);
}

TEST(Spf, a_domain_that_dns_cannot_carry_is_none_without_a_question) {
  for (const char* mail_from : {"any@legitimate.com(a.attack.com", "any@[192.0.2.1]", "any@localhost", "a@b\\.example.com"}) {
    const Sender sender{.client_ip = "\x01\x02\x03\x04", .helo = "h", .mail_from = mail_from};
    const Verdict verdict = check(sender, [](const dns::Question&) -> dns::Answer {
      ADD_FAILURE();
      return {};
    });
    EXPECT_EQ(verdict.outcome, Outcome::none) << mail_from;
    EXPECT_EQ(domain_to_check(sender), "") << mail_from;
  }
}

TEST(Spf, a_temporary_failure_anywhere_is_temperror) {
  const Verdict verdict =
      check({.client_ip = "\x01\x02\x03\x04", .helo = "h", .mail_from = "a@example.com"}, [](const dns::Question& question) {
        if (question.type == dns::RecordType::txt)
          return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{"v=spf1 a -all", 0}}};
        return dns::Answer{.status = dns::AnswerStatus::bogus};
      });
  EXPECT_EQ(verdict.outcome, Outcome::temperror);
}

}  // namespace
}  // namespace mailhold::spf
