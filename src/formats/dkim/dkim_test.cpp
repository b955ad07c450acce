#include "formats/dkim/dkim.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "formats/dkim/canonical.h"
#include "formats/dkim/key_record.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"

namespace mailhold::dkim {
namespace {

const std::string message_text =
    "From: Ann <ann@example.com>\r\nTo: Bo <bo@example.org>\r\nSubject: A  test\r\n of folding \r\nDate: Sun, 22 Nov 2026 "
    "10:00:00 +0000\r\n\r\n"
    "Hello \t Bo,\r\n\r\nbye  \r\n\r\n\r\n";

const std::string seed(32, 's');

std::string record() { return "v=DKIM1; k=ed25519; p=" + to_base64(crypto::Ed25519Signer::from_seed(seed)->public_key()); }

SigningRequest request() {
  SigningRequest request;
  request.domain = "example.com";
  request.selector = "sel";
  request.private_key = SecretText::copy_of(seed);
  return request;
}

dns::Lookup key(std::string text) {
  return [text](const dns::Question& question) {
    EXPECT_EQ(question, (dns::Question{"sel._domainkey.example.com", dns::RecordType::txt}));
    return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{text, 0}}};
  };
}

SignatureResult verified(const std::string& text, const std::string& key_record = record(), VerifyOptions options = {}) {
  const auto results = verify(split_message(text), key(key_record), options);
  EXPECT_EQ(results.size(), 1u);
  return results.empty() ? SignatureResult() : results[0];
}

std::string signed_message(const SigningRequest& wanted) { return *sign(split_message(message_text), wanted) + message_text; }

TEST(Dkim, own_signatures_verify_in_every_form) {
  for (Canonical header : {Canonical::simple, Canonical::relaxed}) {
    for (Canonical body : {Canonical::simple, Canonical::relaxed}) {
      SigningRequest wanted = request();
      wanted.header_form = header;
      wanted.body_form = body;
      const SignatureResult result = verified(signed_message(wanted));
      EXPECT_EQ(result.outcome, Outcome::pass) << result.problem;
      EXPECT_EQ(result.domain, "example.com");
      EXPECT_EQ(result.signature_start.size(), 8u);
    }
  }
}

TEST(Dkim, a_changed_body_or_field_fails) {
  std::string text = signed_message(request());
  EXPECT_EQ(verified(text + "more\r\n").problem, "body hash does not match");
  std::string other = text;
  other.replace(other.find("A  test"), 7, "B  test");
  EXPECT_EQ(verified(other).problem, "signature does not match");
}

TEST(Dkim, a_second_from_fails_even_when_unsigned_ones_are_ignored_elsewhere) {
  EXPECT_EQ(verified("From: <eve@example.com>\r\n" + signed_message(request())).outcome, Outcome::fail);
}

TEST(Dkim, relaxed_form_survives_refolding_and_blanks) {
  std::string text = signed_message(request());
  text.replace(text.find("A  test\r\n of folding \r\n"), 23, "A test of\r\n\t folding\r\n");
  text.replace(text.find("Hello \t Bo"), 10, "Hello Bo");
  EXPECT_EQ(verified(text).outcome, Outcome::pass);
}

TEST(Dkim, empty_bodies_have_the_hashes_of_the_rfc) {  // RFC 6376 sections 3.4.3 and 3.4.4
  for (const char* body : {"", "\r\n", "\r\n\r\n"}) {
    EXPECT_EQ(to_base64(hash_body(body, Canonical::simple, std::nullopt).sha256), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
    EXPECT_EQ(to_base64(hash_body(body, Canonical::relaxed, std::nullopt).sha256),
              "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  }
}

TEST(Dkim, relaxed_body_is_as_in_the_rfc) {  // RFC 6376 section 3.4.5
  EXPECT_EQ(hash_body(" C \r\nD \t E\r\n\r\n\r\n", Canonical::relaxed, std::nullopt).sha256, crypto::sha256(" C\r\nD E\r\n"));
  EXPECT_EQ(hash_body("a\rb\r\r\n \t\r\nc", Canonical::relaxed, std::nullopt).sha256, crypto::sha256("a\rb\r\r\n\r\nc\r\n"));
  const std::string large(100'000, 'x');
  EXPECT_EQ(hash_body(large + "  y", Canonical::relaxed, std::nullopt).sha256, crypto::sha256(large + " y\r\n"));
  EXPECT_EQ(hash_body("12345678", Canonical::relaxed, 5).sha256, crypto::sha256("12345"));
}

TEST(Dkim, keys_that_may_not_be_used_are_permanent_errors) {
  const std::string good = record();
  const std::string p = good.substr(good.find("p="));
  const std::string text = signed_message(request());
  EXPECT_EQ(verified(text, "v=DKIM1; k=ed25519; p=").problem, "key is revoked");
  EXPECT_EQ(verified(text, "v=DKIM2; k=ed25519; " + p).problem, "key record is not DKIM1");
  EXPECT_EQ(verified(text, "k=ed25519; v=DKIM1; " + p).problem, "key record is not DKIM1");
  EXPECT_EQ(verified(text, "k=ed25519; h=sha1; " + p).problem, "key does not allow sha256");
  EXPECT_EQ(verified(text, "k=ed25519; s=web; " + p).problem, "key is not for mail");
  EXPECT_EQ(verified(text, "k=rsa; " + p).problem, "key of another algorithm");
  EXPECT_EQ(verified(text, "k=ed25519; k=ed25519; " + p).problem, "key record is not a list of tags");
  EXPECT_EQ(verified(text, "k=ed25519; s=web:email; t=y:s; h=sha1:sha256; n=x; " + p).outcome, Outcome::pass);
  EXPECT_TRUE(parse_key_record("t = y ; " + good.substr(good.find("k=")))->testing);
}

TEST(Dkim, answers_of_dns_that_are_no_key) {
  const std::string text = signed_message(request());
  const MessageView view = split_message(text);
  const auto outcome = [&](dns::AnswerStatus status) {
    return verify(view, [&](const dns::Question&) { return dns::Answer{.status = status}; }, {})[0].outcome;
  };
  EXPECT_EQ(outcome(dns::AnswerStatus::nxdomain), Outcome::permerror);
  EXPECT_EQ(outcome(dns::AnswerStatus::servfail), Outcome::temperror);
  EXPECT_EQ(outcome(dns::AnswerStatus::bogus), Outcome::temperror);
}

struct Refused {
  const char* field;
  Outcome outcome;
};

TEST(Dkim, malformed_signatures_never_ask_dns) {
  const std::string bh = " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA";
  const Refused cases[] = {
      {"a=rsa-sha256; d=example.com; s=sel; h=from;", Outcome::neutral},
      {"v=2; a=rsa-sha256; d=example.com; s=sel; h=from;", Outcome::neutral},
      {"v=1; a=rsa-sha1; d=example.com; s=sel; h=from;", Outcome::permerror},
      {"v=1; a=rsa-md5; d=example.com; s=sel; h=from;", Outcome::neutral},
      {"v=1; a=rsa-sha256; d=example.com; s=sel; h=to:subject;", Outcome::permerror},
      {"v=1; a=rsa-sha256; d=example.com; s=sel; h=from; i=@example.org;", Outcome::permerror},
      {"v=1; a=rsa-sha256; d=example.com; s=sel; h=from; i=@notexample.com;", Outcome::permerror},
      {"v=1; a=rsa-sha256; d=legitimate.com'a.attack.com; s=sel; h=from;", Outcome::neutral},
      {"v=1; a=rsa-sha256; d=com; s=sel; h=from;", Outcome::neutral},
      {"v=1; a=rsa-sha256; d=example.com; s=a\\.b; h=from;", Outcome::neutral},
      {"v=1; a=rsa-sha256; d=example.com; s=sel; h=from; t=10; x=9;", Outcome::neutral},
      {"v=1; a=rsa-sha256; d=example.com; s=sel; h=from; l=-1;", Outcome::neutral},
      {"v=1; a=rsa-sha256; d=example.com; s=sel; h=from; q=http;", Outcome::neutral},
      {"v=1; a=rsa-sha256; c=nofws; d=example.com; s=sel; h=from;", Outcome::neutral},
      {"v=1; v=1; a=rsa-sha256; d=example.com; s=sel; h=from;", Outcome::neutral},
  };
  for (const Refused& refused : cases) {
    const std::string text = "DKIM-Signature: " + std::string(refused.field) + bh + "\r\nFrom: a@example.com\r\n\r\n";
    const auto results = verify(split_message(text),
                                [](const dns::Question&) -> dns::Answer {
                                  ADD_FAILURE();
                                  return {};
                                },
                                {});
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].outcome, refused.outcome) << refused.field << ": " << results[0].problem;
    EXPECT_TRUE(key_questions(split_message(text)).empty());
  }
}

TEST(Dkim, an_expired_signature_fails) {
  std::string text = signed_message(request());
  text.insert(text.find("d=example.com"), "x=100; ");
  EXPECT_EQ(verified(text, record(), {.now = std::chrono::sys_seconds(std::chrono::seconds(101))}).problem,
            "signature has expired");
}

TEST(Dkim, only_the_first_signatures_are_looked_at) {
  std::string text = message_text;
  for (int count = 0; count < 20; ++count) text = *sign(split_message(message_text), request()) + text;
  EXPECT_EQ(verify(split_message(text), key(record()), {.signatures_max = 5}).size(), 5u);
  EXPECT_EQ(key_questions(split_message(text)).size(), 8u);
}

TEST(Dkim, header_is_split_at_bare_line_feeds_too) {
  const MessageView view = split_message("A: 1\r\n 2\nb :3\r\nnot a field\r\n\r\nbody\r\n");
  ASSERT_EQ(view.fields.size(), 3u);
  EXPECT_EQ(view.fields[0].whole, "A: 1\r\n 2");
  EXPECT_EQ(view.fields[0].value, " 1\r\n 2");
  EXPECT_EQ(view.fields[1].name, "b");
  EXPECT_EQ(view.fields[2].name, "");
  EXPECT_EQ(view.body, "body\r\n");
  EXPECT_EQ(split_message("A: 1").fields.size(), 1u);
}

}  // namespace
}  // namespace mailhold::dkim
