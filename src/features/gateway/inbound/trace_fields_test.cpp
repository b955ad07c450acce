#include "features/gateway/inbound/trace_fields.h"

#include <gtest/gtest.h>

namespace mailhold::gateway {
namespace {

Arrival sample() {
  return {"mx.test", "c.test", "192.0.2.1", true, "", Id::from_bytes(std::string(16, 'a')), "ann@one.test", 1'795'362'547'000};
}

TEST(ReceivedField, tells_how_the_message_came) {
  EXPECT_EQ(received_field(sample()),
            "Received: from c.test ([192.0.2.1])\r\n\tby mx.test with ESMTP id 61616161616161616161616161616161\r\n"
            "\tfor <ann@one.test>;\r\n\tSun, 22 Nov 2026 15:49:07 +0000\r\n");
  Arrival arrival = sample();
  arrival.only_recipient = {};
  arrival.client_ip = "2001:db8::1";
  arrival.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
  EXPECT_EQ(received_field(arrival),
            "Received: from c.test ([IPv6:2001:db8::1])\r\n\tby mx.test with ESMTPS id 61616161616161616161616161616161\r\n"
            "\t(TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n\tSun, 22 Nov 2026 15:49:07 +0000\r\n");
}

TEST(ReceivedField, cannot_be_broken_by_the_client) {
  Arrival arrival = sample();
  arrival.helo = "a\r\nSubject: x;(<>)";
  EXPECT_EQ(received_field(arrival).substr(0, 36), "Received: from a??Subject:?x????? ([");
  arrival.extended = false;
  EXPECT_NE(received_field(arrival).find("with SMTP id"), std::string::npos);
}

TEST(CountReceived, looks_at_the_header_only) {
  EXPECT_EQ(count_received("Received: a\r\n\tb\r\nreceived: c\r\nX: Received:\r\n Received: folded\r\n\r\nReceived: body\r\n"),
            2u);
  EXPECT_EQ(count_received(""), 0u);
  EXPECT_EQ(count_received("Received: a"), 1u);
}

TEST(Assemble, applies_splices_under_the_prefix) {
  const std::vector<scanning::Splice> splices = {{0, 1, "X"}, {3, 0, "--"}, {5, 2, ""}};
  EXPECT_EQ(assemble("P:", "abcdefg", splices).value(), "P:Xbc--de");
  EXPECT_EQ(assemble("", "abc", {}).value(), "abc");
}

TEST(Assemble, refuses_splices_that_do_not_fit) {
  for (const std::vector<scanning::Splice>& bad : std::vector<std::vector<scanning::Splice>>{{{4, 0, ""}},
                                                                                             {{0, 4, ""}},
                                                                                             {{2, 1, ""}, {1, 1, ""}},
                                                                                             {{0, 2, ""}, {1, 1, ""}},
                                                                                             {{UINT64_MAX, 2, ""}},
                                                                                             {{1, UINT64_MAX, ""}}}) {
    EXPECT_EQ(assemble("", "abc", bad).error().kind, ErrorKind::corrupt);
  }
}

TEST(HasOnlyCrlf, finds_every_other_newline_and_nul) {
  for (const char* good : {"", "a", "a\r\n", "\r\n\r\nb\r\n", "a\r\nb"}) EXPECT_TRUE(has_only_crlf(good)) << good;
  for (const char* bad : {"\n", "\r", "a\nb", "a\rb", "a\r\r\n", "a\r\n\n", "a\r\nb\r"}) EXPECT_FALSE(has_only_crlf(bad)) << bad;
  EXPECT_FALSE(has_only_crlf(std::string_view("a\0b", 3)));
}

TEST(IsFolded, lets_no_second_field_in) {
  for (const char* good : {"", "mx.test; spf=pass", "mx.test;\r\n\tspf=pass\r\n dkim=none"}) EXPECT_TRUE(is_folded(good)) << good;
  for (const char* bad : {"a\r\nX: y", "a\r\n", "a\nb", "a\r\n\r\n b", "a\rb",
                          "a\r\n "
                          "\x01"})
    EXPECT_FALSE(is_folded(bad)) << bad;
}

}  // namespace
}  // namespace mailhold::gateway
