#include "features/links/link_token.h"

#include <chrono>

#include "base/text.h"
#include "features/links/links_fixture.h"

namespace mailhold::links {
namespace {

class LinkTokens : public LinksFixture {
 protected:
  std::string token_for(const Id& owner, std::string url = "https://www.shop.example/x?y=1") {
    return seal_token({owner, message, clock.now(), std::move(url)}, keys.source()(owner, std::nullopt, soon()).value()).value();
  }
  Result<LinkToken> open(std::string_view text) { return open_token(text, keys.source(), soon()); }
};

TEST_F(LinkTokens, open_to_what_was_sealed) {
  const Result<LinkToken> token = open(token_for(tenant));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->tenant, tenant);
  EXPECT_EQ(token->message, message);
  EXPECT_EQ(token->wrapped_at, clock.now());
  EXPECT_EQ(token->url, "https://www.shop.example/x?y=1");
}

TEST_F(LinkTokens, open_after_the_key_was_rotated) {
  const std::string before = token_for(tenant);
  keys.add_version(tenant);
  EXPECT_TRUE(open(before));
  EXPECT_TRUE(open(token_for(tenant)));
}

TEST_F(LinkTokens, do_not_open_with_any_changed_bit) {
  const std::string bytes = from_base64url(token_for(tenant)).value();
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string changed = bytes;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << (i % 8)));
    const Result<LinkToken> token = open(to_base64url(changed));
    ASSERT_FALSE(token) << "bit " << i;
    EXPECT_EQ(token.error().kind, ErrorKind::denied);
  }
}

TEST_F(LinkTokens, do_not_open_with_any_changed_character) {
  const std::string text = token_for(tenant);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (char c : std::string_view("A_-0+/=. \n%")) {
      if (text[i] == c) continue;
      std::string changed = text;
      changed[i] = c;
      EXPECT_FALSE(open(changed)) << i << " " << c;
    }
  }
  EXPECT_FALSE(open(text + "A"));
  EXPECT_FALSE(open(text + "="));
  for (std::size_t length = 0; length < text.size(); ++length) EXPECT_FALSE(open(std::string_view(text).substr(0, length)));
}

TEST_F(LinkTokens, of_one_tenant_never_open_as_of_another) {
  std::string bytes = from_base64url(token_for(tenant)).value();
  bytes.replace(1, Id::size, other.bytes());
  EXPECT_FALSE(open(to_base64url(bytes)));
  // Not even where both have the same key: the tenant stands in the context.
  const Id twin = Id::random();
  keys.copy(tenant, twin);
  bytes.replace(1, Id::size, twin.bytes());
  EXPECT_FALSE(open(to_base64url(bytes)));
}

TEST_F(LinkTokens, say_when_the_key_is_only_away) {
  const std::string text = token_for(tenant);
  keys.set_away(true);
  EXPECT_EQ(open(text).error().kind, ErrorKind::unavailable);
}

TEST_F(LinkTokens, have_a_limit) {
  const LinkKey key = keys.source()(tenant, std::nullopt, soon()).value();
  const std::string longest(token_url_bytes_max, 'a');
  EXPECT_TRUE(open(seal_token({tenant, message, 0, longest}, key).value()));
  EXPECT_EQ(seal_token({tenant, message, 0, longest + "a"}, key).error().kind, ErrorKind::limit_exceeded);
  EXPECT_FALSE(open(std::string(token_text_bytes_max + 4, 'A')));
}

TEST_F(LinkTokens, a_continuation_is_bound_to_token_and_time) {
  const std::string first = token_for(tenant), second = token_for(tenant);
  const std::string proof = seal_continuation(first, clock.now() + 1000, keys.source(), soon()).value();
  EXPECT_TRUE(check_continuation(proof, first, clock.now(), keys.source(), soon()));
  EXPECT_FALSE(check_continuation(proof, second, clock.now(), keys.source(), soon()));
  EXPECT_FALSE(check_continuation(proof, first, clock.now() + 1001, keys.source(), soon()));
  EXPECT_FALSE(check_continuation("", first, clock.now(), keys.source(), soon()));
  EXPECT_FALSE(check_continuation(first, first, clock.now(), keys.source(), soon()));
  EXPECT_FALSE(open(proof));
  const std::string bytes = from_base64url(proof).value();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(check_continuation(to_base64url(changed), first, clock.now(), keys.source(), soon())) << i;
  }
}

class LinkWrapping : public LinksFixture {};

TEST_F(LinkWrapping, puts_the_readable_host_first) {
  EXPECT_TRUE(path_of("HTTPS://WWW.Shop.example:8443/x").starts_with("/www.shop.example/"));
  EXPECT_TRUE(path_of("http://b\xc3\xbc"
                      "cher.example/")
                  .starts_with("/xn--bcher-kva.example/"));
  EXPECT_TRUE(path_of("http://[2001:db8::1]/").starts_with("/ipv6-2001-db8--1/"));
  EXPECT_TRUE(path_of("http://a\"b'c.example/").starts_with("/a_b_c.example/"));
  EXPECT_TRUE(path_of("http://user@0x7f.1/").starts_with("/127.0.0.1/"));
}

TEST_F(LinkWrapping, writes_nothing_that_needs_an_escape) {
  const std::string path = path_of("https://shop.example/\"'<>&\xc3\xa4 \t?x=y#z");
  EXPECT_EQ(path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-"), std::string::npos)
      << path;
}

TEST_F(LinkWrapping, leaves_alone_what_is_no_link_or_wrapped_already) {
  const auto wrapped = [this](std::string_view url) { return wrapper.wrap(tenant, url, message, 0, soon()).value(); };
  for (std::string_view url :
       {"https://links.example/a/b", "HTTPS://LINKS.example:443/", "mailto:x@y.example", "http://[x/", "http://host name/", ""}) {
    EXPECT_EQ(wrapped(url), "") << url;
  }
  for (std::string_view url : {"http://links.example/", "https://links.example.evil.example/", "https://x@links.example/",
                               "https://links.example:444/"}) {
    EXPECT_NE(wrapped(url), "") << url;
  }
}

TEST_F(LinkWrapping, removes_what_a_newer_browser_might_read_or_is_too_long) {
  const auto wrapped = [this](std::string_view url) { return wrapper.wrap(tenant, url, message, 0, soon()).value(); };
  EXPECT_TRUE(wrapped("http://look\xe2\x81\xab"
                      "out.example/")
                  .starts_with("https://links.example/unreadable/"));
  EXPECT_EQ(wrapped("http://a.example/" + std::string(9000, 'x')), "https://links.example/a.example/too-long");
  EXPECT_EQ(wrapped("http://a.example/" + std::string(url::url_bytes_max, 'x')), "https://links.example/too-long/too-long");
  EXPECT_EQ(get("/a.example/too-long").status, 403);
  const http::Response unreadable =
      get(path_of("http://look\xe2\x81\xab"
                  "out.example/"));
  EXPECT_EQ(unreadable.status, 403);
  EXPECT_EQ(events.back().decision, Decision::block);
}

TEST_F(LinkWrapping, fails_when_there_is_no_key) {
  EXPECT_EQ(wrapper.wrap(Id::random(), "https://a.example/", message, 0, soon()).error().kind, ErrorKind::not_found);
  keys.set_away(true);
  EXPECT_EQ(wrapper.wrap(tenant, "https://a.example/", message, 0, soon()).error().kind, ErrorKind::unavailable);
}

TEST_F(LinkWrapping, wants_a_base_that_is_a_host) {
  for (std::string_view base :
       {"links.example", "https://links.example/x", "https://u@links.example", "https://links.example/?", "ftp://x"}) {
    EXPECT_FALSE(LinkWrapper::create(base, keys.source())) << base;
  }
  EXPECT_TRUE(LinkWrapper::create("http://127.0.0.1:8025/", keys.source()));
}

TEST_F(LinkWrapping, takes_links_apart) {
  EXPECT_EQ(split_link("https://links.example/a.example/TOK?x#y")->token, "TOK");
  EXPECT_EQ(split_link("/a.example/TOK")->host, "a.example");
  EXPECT_EQ(split_link(" TOK ")->token, "TOK");
  for (std::string_view link : {"", "/", "/a", "/a/", "//a", "/a/b/c", "a/b", "https://x", "?"})
    EXPECT_FALSE(split_link(link)) << link;
}

}  // namespace
}  // namespace mailhold::links
