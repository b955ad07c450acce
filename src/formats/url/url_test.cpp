#include "formats/url/url.h"

#include <gtest/gtest.h>

#include <chrono>

#include "formats/url/host.h"
#include "formats/url/text_links.h"

namespace mailhold::url {
namespace {

struct Case {
  std::string_view input;
  std::string_view href;  // empty: refused
};

std::string href_of(std::string_view input) {
  const Result<Url> url = parse(input);
  return url ? url->href() : std::string();
}

TEST(Url, finds_the_host_that_a_browser_would_visit) {
  const Case cases[] = {
      {"http://Example.COM", "http://example.com/"},
      {"https://example.com:443/x?y#z", "https://example.com/x?y#z"},
      {"http://example.com:81", "http://example.com:81/"},
      {" \x01http://exa\tmple.com\n/ ", "http://example.com/"},
      {"http:\\\\example.com\\x\\..\\y", "http://example.com/y"},
      {"http:example.com", "http://example.com/"},
      {"//example.com/x", "https://example.com/x"},
      {"https://bank.example@evil.example/", "https://bank.example@evil.example/"},
      {"https://bank.example\\@evil.example/", "https://bank.example/@evil.example/"},
      {"https://bank.example:x@evil.example/", "https://bank.example:x@evil.example/"},
      {"http://%65xample%2Ecom/", "http://example.com/"},
      {"http://b\xc3\xbc"
       "cher.example/\xc3\xa4?\xc3\xa4",
       "http://xn--bcher-kva.example/%C3%A4?%C3%A4"},
      {"http://b\xfc"
       "cher.example/",
       "http://xn--bcher-kva.example/"},
      {"http://example\xe3\x80\x82"
       "com/",
       "http://example.com/"},
      {"http://\xef\xbd\x85xample.com/", "http://example.com/"},
      {"http://0x7f.1/", "http://127.0.0.1/"},
      {"http://2130706433/", "http://127.0.0.1/"},
      {"http://0177.0.0.01/", "http://127.0.0.1/"},
      {"http://[2001:DB8:0:0:0:0:0:1]:8080/", "http://[2001:db8::1]:8080/"},
      {"http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/"},
      {"http://a_b.example/", "http://a_b.example/"},
      {"http://example.com/a b\"<>", "http://example.com/a%20b%22%3C%3E"},
      {"http://example.com/a\r\nSet-Cookie: x", "http://example.com/aSet-Cookie:%20x"},
      {"http://example.com/%0d%0aX", "http://example.com/%0d%0aX"},
      {"http://256.1.1.1/", ""},
      {"http://1.2.3.4.5/", ""},
      {"http://a.0x/", ""},
      {"http://exa mple.com/", ""},
      {"http://exa%00mple.com/", ""},
      {"http://%zz/", ""},
      {"http://[::1/", ""},
      {"http://[::1]x/", ""},
      {"http://example.com:65536/", ""},
      {"http://example.com:8a/", ""},
      {"http://xn--a\xc3\xa4.example/", ""},
      {"http://", ""},
      {"http:///", ""},
      {"http://user@/", ""},
      {"ftp://example.com/", ""},
      {"javascript:alert(1)", ""},
      {"example.com", ""},
      {"/x", ""},
      {"", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(href_of(c.input), c.href) << c.input;
}

TEST(Url, tells_other_schemes_from_broken_addresses) {
  EXPECT_EQ(parse("mailto:x@example.com").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(parse("http://[x/").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(parse("http://a/" + std::string(url_bytes_max, 'x')).error().kind, ErrorKind::limit_exceeded);
  EXPECT_EQ(parse("http://" + std::string(100'000, 'a')).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(parse("http://" + std::string(100'000, '@') + "a/").value().host, "a");
}

TEST(Url, keeps_what_it_wrote) {
  for (std::string_view input : {"http://a/%2e%2E/..//x/./", "http://a?#", "http://a/?'#`", "http://:@a/", "http://a//\\b"}) {
    const std::string once = href_of(input);
    ASSERT_FALSE(once.empty()) << input;
    EXPECT_EQ(href_of(once), once) << input;
  }
}

TEST(Host, converts_between_ascii_and_unicode) {
  EXPECT_EQ(to_unicode("xn--bcher-kva.example"),
            "b\xc3\xbc"
            "cher.example");
  EXPECT_EQ(to_unicode("xn--.example"), "xn--.example");
  EXPECT_EQ(to_unicode("example.com"), "example.com");
  EXPECT_EQ(parse_host("stra\xc3\x9f"
                       "e.de")
                ->ascii,
            "xn--strae-oqa.de");
  EXPECT_EQ(parse_host("127.1")->kind, HostKind::ipv4);
  EXPECT_EQ(parse_host("[::]")->kind, HostKind::ipv6);
}

TEST(Host, knows_what_lies_within_a_domain) {
  EXPECT_TRUE(is_within("example.com", "example.com"));
  EXPECT_TRUE(is_within("A.Example.com.", "example.com"));
  EXPECT_FALSE(is_within("notexample.com", "example.com"));
  EXPECT_FALSE(is_within("com", "example.com"));
  EXPECT_FALSE(is_within("example.com", ""));
}

std::string text_links(std::string_view text) {
  std::string all;
  for (const TextLink& link : find_links_in_text(text).links) {
    EXPECT_EQ(link.length > 0, true);
    all += (all.empty() ? "" : " | ") + link.url;
  }
  return all;
}

TEST(TextLinks, leave_the_sentence_around_them) {
  const Case cases[] = {
      {"See http://a.example/x. Or https://b.example/?y=1, or HTTP://C.example!",
       "http://a.example/x | https://b.example/?y=1 | HTTP://C.example"},
      {"<http://a.example/x> \"http://b.example\" (http://c.example/)",
       "http://a.example/x | http://b.example | http://c.example/"},
      {"http://a.example/wiki/X_(y) and (http://a.example/wiki/X_(y))",
       "http://a.example/wiki/X_(y) | http://a.example/wiki/X_(y)"},
      {"[text](http://a.example/x)", "http://a.example/x"},
      {"*http://a.example/x* 'http://b.example'", "http://a.example/x | http://b.example"},
      {"http://a.example/one\r\nhttp://a.example/two", "http://a.example/one | http://a.example/two"},
      {"http://a.example/very-\r\nlong", "http://a.example/very-"},
      {"http:// https://. http", ""},
      {"http://a.example/?u=http://b.example/", "http://a.example/?u=http://b.example/"},
      {"\xc2\xbbhttp://a.example\xc2\xab \xe2\x80\x9ehttp://b.example\xe2\x80\x9c", "http://a.example | http://b.example"},
      {"http://b\xc3\xbc"
       "cher.example/\xe3\x80\x82",
       "http://b\xc3\xbc"
       "cher.example/"},
      {"http://b\xfc"
       "cher.example\xa0 x",
       "http://b\xc3\xbc"
       "cher.example"},
      {"http://[::1]/ x", "http://[::1]/"},
      {"https://a.example/x?r____ x", "https://a.example/x?r____"},
      {"https://a.example/x?y=[1]&z={2}", "https://a.example/x?y=[1]&z={2}"},
  };
  for (const Case& c : cases) EXPECT_EQ(text_links(c.input), c.href) << c.input;
}

TEST(TextLinks, give_the_span_in_the_source) {
  const std::string_view text = "x\xa0http://a.example.\n";
  const auto links = find_links_in_text(text).links;
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(text.substr(links[0].offset, links[0].length), "http://a.example");
}

TEST(TextLinks, stay_linear_on_hostile_input) {
  for (std::string_view piece : {"h", "http://", "http://)", "http://a(", ".", "http://a ", "https:/", "http://a\xe3\x80\x82"}) {
    std::string text;
    while (text.size() < 1'000'000) text += piece;
    const auto start = std::chrono::steady_clock::now();
    find_links_in_text(text);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << piece;
  }
}

}  // namespace
}  // namespace mailhold::url
