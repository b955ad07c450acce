#include "formats/authres/authres.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace mailhold::authres {
namespace {

TEST(Authres, is_written_folded) {
  const Header header{"mx.example.net",
                      {{"spf", "pass", "", {{"smtp", "mailfrom", "ann@example.com"}}},
                       {"dkim",
                        "fail",
                        "body hash does not match",
                        {{"header", "d", "example.com"}, {"header", "s", "sel"}, {"header", "b", "abc+/=="}}}}};
  EXPECT_EQ(write(header),
            "Authentication-Results: mx.example.net;\r\n\tspf=pass smtp.mailfrom=ann@example.com;\r\n"
            "\tdkim=fail reason=\"body hash does not match\" header.d=example.com\r\n\theader.s=sel header.b=\"abc+/==\"\r\n");
  EXPECT_EQ(write({"mx.example.net", {}}), "Authentication-Results: mx.example.net; none\r\n");
}

TEST(Authres, hostile_values_stay_values) {
  for (const std::string& hostile :
       {std::string("any@legitimate.com(a.attack.com"), std::string("any@legitimate.com'@any.attack.com"),
        std::string("a; dmarc=pass header.from=legitimate.com"), std::string("a\"; dmarc=pass \""), std::string("a\r\nX: y"),
        std::string("a\0b", 3), std::string("\\"), std::string(5000, '"'), std::string()}) {
    const std::string field = write({"mx.example.net", {{"spf", "fail", hostile, {{"smtp", "mailfrom", hostile}}}}});
    for (std::string_view line : split(field, '\n')) EXPECT_LE(line.size(), 998u);
    const std::string value = field.substr(field.find(':') + 1);
    const Result<Header> read = parse(value);
    ASSERT_TRUE(read) << field;
    ASSERT_EQ(read->results.size(), 1u) << field;
    EXPECT_EQ(read->results[0].result, "fail");
    ASSERT_EQ(read->results[0].properties.size(), 1u);
    EXPECT_EQ(field.find("\nX:"), std::string::npos);
  }
}

TEST(Authres, of_rfc_8601_are_read) {  // the examples of appendix B
  const Header simple = *parse(" example.com;\r\n  spf=pass smtp.mailfrom=example.net");
  EXPECT_EQ(simple.authserv_id, "example.com");
  EXPECT_EQ(simple.results[0].properties[0].value, "example.net");
  EXPECT_TRUE(parse(" example.org 1; none")->results.empty());
  const Header commented = *parse(
      " foo.example.net (foobar) 1 (baz);\r\n  dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n   policy (A dot "
      "can go here) . (like that) expired\r\n"
      "   (this surprised me) = (as I wasn't expecting it) 1362471462");
  EXPECT_EQ(commented.authserv_id, "foo.example.net");
  EXPECT_EQ(commented.results[0].method, "dkim");
  EXPECT_EQ(commented.results[0].properties[0].name, "expired");
  EXPECT_EQ(commented.results[0].properties[0].value, "1362471462");
  const Header several = *parse(
      " example.com;\r\n  auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n  dkim=pass reason=\"good signature\" "
      "header.i=@mail-router.example.net;"
      " spf=pass smtp.mailfrom=\"odd one\"@example.net;");
  ASSERT_EQ(several.results.size(), 3u);
  EXPECT_EQ(several.results[1].reason, "good signature");
  EXPECT_EQ(several.results[1].properties[0].value, "@mail-router.example.net");
  EXPECT_EQ(several.results[2].properties[0].value, "odd one@example.net");
}

TEST(Authres, malformed_ones_are_refused) {
  for (const char* value :
       {"", ";", "a.example spf=pass", "a.example; spf", "a.example; spf=", "a.example; spf=pass x", "a.example; spf=pass x=y",
        "a.example; spf=pass (", "\"a.example; spf=pass", "(a; spf=pass", "a.example; =pass"}) {
    EXPECT_FALSE(parse(value)) << value;
  }
}

TEST(Authres, fields_that_claim_our_name_are_found) {
  for (const char* value : {"mx.example.net; spf=pass", " MX.Example.NET ; none", "\"mx.example.net\"; spf=pass",
                            "(x;y) mx.example.net (z) 1; spf=pass", "\"mx\\.example.net\"; spf=pass", "mx.example.net",
                            "mx.example.net spf=pass garbage", "mx.example.net.; x", "(unended mx.example.net; spf=pass",
                            "\r\n\tmx.example.net;\r\n\tspf=pass", "\"mx.example.net", "x mx.example.net; y"}) {
    EXPECT_TRUE(claims(value, "mx.example.net")) << value;
  }
  for (const char* value :
       {"other.example.net; spf=pass", "notmx.example.net; spf=pass", "mx.example.net.attacker.example; spf=pass",
        "a.mx.example.net; x", "other.example; spf=pass smtp.mailfrom=mx.example.net", ""}) {
    EXPECT_FALSE(claims(value, "mx.example.net")) << value;
  }
}

}  // namespace
}  // namespace mailhold::authres
