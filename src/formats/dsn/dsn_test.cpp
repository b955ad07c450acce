#include "formats/dsn/dsn.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "corpora.h"

namespace mailhold::dsn {
namespace {

constexpr std::string_view original =
    "From: ann@a.example\r\nMessage-ID: <one@a.example>\r\nSubject: folded\r\n line\r\n\r\nsecret body\r\n";

Notice failure() {
  Notice notice{.action = Action::failed,
                .reporting_mta = "mx.ours.example",
                .message_id = "n1@mx.ours.example",
                .original_sender = "ann@a.example",
                .queue_id = "00112233445566778899aabbccddeeff",
                .envelope_id = {},
                .arrived_at = 1795362547000,
                .written_at = 1795362600000,
                .will_retry_until = 0,
                .recipients = {{"bob@b.example", "5.1.1", "550 5.1.1 no such user", "mx.b.example", 1795362590000}},
                .original = original};
  return notice;
}

// The boundary is random: the golden text has BOUNDARY instead.
std::string with_fixed_boundary(std::string text) {
  const std::size_t start = text.find("boundary=\"") + 10;
  const std::string boundary = text.substr(start, text.find('"', start) - start);
  for (std::size_t at; (at = text.find(boundary)) != std::string::npos;) text.replace(at, boundary.size(), "BOUNDARY");
  return text;
}

std::string golden(const char* name) {
  return read_whole_file(std::filesystem::path(MAILHOLD_SOURCE_DIR) / "src/formats/dsn/testdata" / name);
}

TEST(Dsn, a_failure_notice_is_as_it_always_was) {
  EXPECT_EQ(with_fixed_boundary(write_notice(failure())), golden("failure.eml"));
}

TEST(Dsn, a_delay_notice_is_as_it_always_was) {
  Notice notice = failure();
  notice.action = Action::delayed;
  notice.will_retry_until = 1795794547000;
  notice.envelope_id = "env-1";
  notice.recipients = {{"bob@b.example", "4.4.1", "451 4.4.1 no answer", {}, 1795362590000},
                       {"cid@c.example", "nonsense", {}, {}, 0}};
  EXPECT_EQ(with_fixed_boundary(write_notice(notice)), golden("delay.eml"));
}

TEST(Dsn, the_body_never_travels_back) { EXPECT_EQ(write_notice(failure()).find("secret body"), std::string::npos); }

TEST(Dsn, hostile_values_add_no_field_and_no_part) {
  Notice notice = failure();
  notice.recipients[0].address = "x@b\r\nBcc: all@b.example\r\n";
  notice.recipients[0].diagnostic = "550 \r\n\r\n--=_x\r\nContent-Type: text/html\r\n\xff" + std::string(5000, 'y');
  notice.original_sender = "ann@a.example>\r\nX-Evil: 1";
  const std::string text = write_notice(notice);
  EXPECT_EQ(text.find("\r\nBcc:"), std::string::npos);
  EXPECT_EQ(text.find("\r\nX-Evil"), std::string::npos);
  EXPECT_EQ(text.find("text/html\r\n"), std::string::npos);
  for (const std::string_view line : split(text, '\n')) EXPECT_LE(line.size(), 999U);
}

TEST(Dsn, a_status_that_contradicts_the_action_is_replaced) {
  Notice notice = failure();
  notice.recipients[0].status = "2.0.0";
  EXPECT_NE(write_notice(notice).find("\r\nStatus: 5.0.0\r\n"), std::string::npos);
  notice.recipients[0].status = "4.4.7";  // given up after temporary failures, RFC 3463 section 3.5
  EXPECT_NE(write_notice(notice).find("\r\nStatus: 4.4.7\r\n"), std::string::npos);
}

TEST(Dsn, a_long_or_broken_header_block_is_cut_at_a_line) {
  Notice notice = failure();
  std::string large = "From: ann@a.example\r\n";
  for (int i = 0; i < 10'000; ++i) large += "X-Field: " + std::to_string(i) + "\r\n";
  notice.original = large;
  const std::string text = write_notice(notice);
  EXPECT_LT(text.size(), 70'000U);
  EXPECT_NE(text.find("X-Field: 1\r\n"), std::string::npos);
  notice.original = "no line end at all";
  EXPECT_EQ(write_notice(notice).find("no line end"), std::string::npos);
}

TEST(Dsn, nobody_is_notified_who_could_answer_with_a_notice) {
  EXPECT_TRUE(must_not_notify("", original));
  EXPECT_TRUE(must_not_notify("MAILER-DAEMON@b.example", original));
  EXPECT_TRUE(must_not_notify("nobody", original));
  EXPECT_TRUE(must_not_notify("ann@a.example", "Auto-Submitted: auto-replied\r\n\r\n"));
  EXPECT_TRUE(must_not_notify("ann@a.example", "X: 1\r\nauto-submitted:\r\n auto-generated\r\n\r\n"));
  EXPECT_FALSE(must_not_notify("ann@a.example", "Auto-Submitted: no\r\n\r\n"));
  EXPECT_FALSE(must_not_notify("ann@a.example", "X: 1\r\n\r\nAuto-Submitted: auto-replied\r\n"));
  EXPECT_FALSE(must_not_notify("ann@a.example", original));
  EXPECT_TRUE(must_not_notify("ann@a.example", write_notice(failure())));  // never a notice about a notice
}

}  // namespace
}  // namespace mailhold::dsn
