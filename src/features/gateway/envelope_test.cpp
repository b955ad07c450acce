#include "features/gateway/envelope.h"

#include <gtest/gtest.h>

namespace mailhold::gateway {
namespace {

AcceptedMessage sample() {
  AcceptedMessage message;
  message.message = Id::from_bytes(std::string(16, 'm'));
  message.tenant = Id::from_bytes(std::string(16, 't'));
  message.accepted_at = 1'700'000'000'000;
  message.client_ip = "192.0.2.1";
  message.helo = "c.test";
  message.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
  message.mail_from = "a@b.test";
  message.rcpt_to = {"ann@one.test", "bob@one.test"};
  message.eight_bit = true;
  message.size = 1234;
  message.disposition = Disposition::held;
  message.held_for = "virus";
  message.reasons = {{"virus", "signature found"}, {"dmarc", "failed"}};
  message.scanned = true;
  message.header_from = "a@b.test";
  message.subject = "x";
  message.message_id = "1@b.test";
  message.spf = "pass";
  message.dkim = "pass";
  message.dmarc = "fail";
  message.virus = "Eicar";
  message.links = 5;
  message.links_rewritten = 4;
  message.attachments = {{"a.txt", "text/plain", 5, std::string(64, 'a')}};
  message.layout = {{10, 20, true}, {40, 5, false}};
  return message;
}

TEST(AcceptedMessage, survives_the_spool) {
  const auto read = parse_accepted(write_accepted(sample()));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, sample());
}

TEST(AcceptedMessage, refuses_every_truncation) {
  const std::string bytes = write_accepted(sample());
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(parse_accepted(std::string_view(bytes).substr(0, i))) << i;
  EXPECT_FALSE(parse_accepted(bytes + "x"));
}

TEST(AcceptedMessage, refuses_overlapping_spans_and_no_recipient) {
  AcceptedMessage message = sample();
  message.layout = {{10, 20, false}, {29, 5, false}};
  EXPECT_FALSE(parse_accepted(write_accepted(message)));
  message = sample();
  message.rcpt_to.clear();
  EXPECT_FALSE(parse_accepted(write_accepted(message)));
}

TEST(AcceptedMessage, cuts_long_texts_rather_than_failing) {
  AcceptedMessage message = sample();
  message.subject = std::string(10'000, 's');
  const auto read = parse_accepted(write_accepted(message));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->subject.size(), 4096u);
}

}  // namespace
}  // namespace mailhold::gateway
