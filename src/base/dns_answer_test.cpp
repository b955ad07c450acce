#include "base/dns_answer.h"

#include <gtest/gtest.h>

namespace mailhold::dns {
namespace {

TEST(DnsName, is_lower_case_without_final_dot) {
  EXPECT_EQ(normal_name("Mail.Example.COM."), "mail.example.com");
  EXPECT_EQ(normal_name("_dmarc.example.com"), "_dmarc.example.com");
}

TEST(DnsName, that_dns_cannot_carry_is_refused) {
  const std::string label(63, 'a');
  EXPECT_TRUE(normal_name(label + "." + label + "." + label + "." + std::string(61, 'b')));
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("a\tb"), std::string("a\\.b"),
        std::string("a\0b", 3), std::string("\xc3\xa4.example"), std::string("a@b"), std::string(64, 'a') + ".example",
        label + "." + label + "." + label + "." + std::string(62, 'b')}) {
    EXPECT_FALSE(normal_name(name)) << name;
  }
}

TEST(DnsAddress, comes_out_as_four_or_sixteen_bytes) {
  EXPECT_EQ(parse_address("192.0.2.1"), std::string("\xc0\x00\x02\x01", 4));
  EXPECT_EQ(parse_address("::ffff:192.0.2.1"), std::string("\xc0\x00\x02\x01", 4));
  EXPECT_EQ(address_text(*parse_address("2001:DB8::1")), "2001:db8::1");
  for (const char* text : {"", "192.0.2", "192.0.2.1 ", "[::1]", "fe80::1%eth0", "192.0.2.1/24"})
    EXPECT_FALSE(parse_address(text)) << text;
  EXPECT_EQ(reverse_name(*parse_address("192.0.2.1")), "1.2.0.192.in-addr.arpa");
  EXPECT_EQ(reverse_name(*parse_address("2001:db8::1")),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

TEST(DnsAnswer, is_read_back_as_written) {
  const Question question{"example.com", RecordType::mx};
  const Answer answer{AnswerStatus::ok, true, 300, "mail.example.com", {{"a.example.com", 10}, {"b.example.com", 20}}};
  ByteWriter writer;
  write(writer, question);
  write(writer, answer);
  ByteReader reader(writer.view());
  EXPECT_EQ(*read_question(reader), question);
  EXPECT_EQ(*read_answer(reader), answer);
  EXPECT_TRUE(reader.finish());
  for (std::size_t length = 0; length < writer.view().size(); ++length) {
    ByteReader cut(std::string_view(writer.view()).substr(0, length));
    EXPECT_FALSE(read_question(cut) && read_answer(cut)) << length;
  }
}

TEST(DnsAnswer, with_too_many_or_contradicting_records_is_refused) {
  Answer answer{AnswerStatus::ok, false, 0, "", std::vector<Record>(records_max + 1, Record{"x", 0})};
  ByteWriter many;
  write(many, answer);
  ByteReader reader(many.view());
  EXPECT_FALSE(read_answer(reader));
  answer.records.resize(1);
  answer.status = AnswerStatus::nxdomain;
  ByteWriter contradicting;
  write(contradicting, answer);
  ByteReader other(contradicting.view());
  EXPECT_FALSE(read_answer(other));
}

}  // namespace
}  // namespace mailhold::dns
