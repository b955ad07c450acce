#include "features/links/click_service.h"

#include <fstream>

#include "base/text.h"
#include "features/links/links_api.h"
#include "features/links/links_fixture.h"

namespace mailhold::links {
namespace {

class Clicks : public LinksFixture {
 protected:
  // The hidden proof of a warning page.
  static std::string proof_in(const http::Response& page) {
    constexpr std::string_view mark = "name=\"continue\" value=\"";
    const std::size_t begin = page.body.find(mark);
    if (begin == std::string::npos) return {};
    return page.body.substr(begin + mark.size(), page.body.find('"', begin + mark.size()) - begin - mark.size());
  }
};

TEST_F(Clicks, on_an_ordinary_link_go_on_to_the_exact_address) {
  const http::Response response = get(path_of("https://www.shop.example/x y?a=1&b=2#c"));
  EXPECT_EQ(response.status, 302);
  EXPECT_EQ(field(response, "Location"), "https://www.shop.example/x%20y?a=1&b=2#c");
  EXPECT_EQ(field(response, "Referrer-Policy"), "no-referrer");
  EXPECT_EQ(field(response, "Cache-Control"), "no-store");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].tenant, tenant);
  EXPECT_EQ(events[0].message, message);
  EXPECT_EQ(events[0].decision, Decision::allow);
}

TEST_F(Clicks, on_anything_but_a_whole_link_of_ours_never_redirect) {
  const std::string path = path_of("https://www.shop.example/");
  const std::string token = path.substr(path.rfind('/') + 1);
  const std::string broken = get("/www.shop.example/AAAA").body;
  for (std::string target : {"/www.shop.example/" + token + "A", "/other.example/" + token, "/WWW.shop.example/" + token,
                             "/" + token, "/" + token + "/", "/www.shop.example/x/" + token, "//www.shop.example/" + token,
                             std::string("/https://evil.example/"), std::string("/evil.example/aHR0cHM6Ly9ldmlsLmV4YW1wbGUv"),
                             "/www.shop.example./" + token, "/%77ww.shop.example/" + token}) {
    const http::Response response = get(target);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_EQ(field(response, "Location"), "") << target;
    EXPECT_EQ(response.body, broken) << target;
  }
  EXPECT_TRUE(events.empty());
}

TEST_F(Clicks, on_a_token_with_any_changed_byte_never_redirect) {
  const std::string path = path_of("https://www.shop.example/");
  const std::size_t start = path.rfind('/') + 1;
  for (std::size_t i = start; i < path.size(); ++i) {
    std::string changed = path;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const http::Response response = get(changed);
    ASSERT_EQ(response.status, 404) << i;
    ASSERT_EQ(field(response, "Location"), "");
  }
  EXPECT_EQ(get(path + "?utm=x").status, 302);  // what programs append does not matter
}

TEST_F(Clicks, on_a_token_of_a_foreign_tenant_never_redirect) {
  // Sealed with a good key, for a tenant that this service does not know.
  const Id stranger = keys.add_tenant();
  const std::string link = wrapper.wrap(stranger, "https://www.shop.example/", message, 0, soon()).value();
  EXPECT_EQ(get(link.substr(std::string_view("https://links.example").size())).status, 404);
  // Named as another tenant's.
  std::string token = from_base64url(path_of("https://www.shop.example/").substr(18)).value();
  token.replace(1, Id::size, other.bytes());
  EXPECT_EQ(get("/www.shop.example/" + to_base64url(token)).status, 404);
}

TEST_F(Clicks, follow_the_lists_of_the_tenant) {
  EXPECT_EQ(get(path_of("http://denied.example/x")).status, 403);
  EXPECT_EQ(get(path_of("http://sub.denied.example/x")).status, 302);
  EXPECT_EQ(get(path_of("http://half.example/bad/page")).status, 403);
  EXPECT_EQ(get(path_of("https://u@half.example:443/bad")).status, 403);
  EXPECT_EQ(get(path_of("https://half.example/good")).status, 302);
  EXPECT_EQ(get(path_of("https://allowed-contoso-bank.example/")).status, 302);  // would be a look-alike
  EXPECT_EQ(get(path_of("https://a.partner.example/")).status, 302);
}

TEST_F(Clicks, warn_of_addresses_that_deceive) {
  const struct {
    std::string_view url, reason;
  } cases[] = {
      {"https://contoso-bank.example.evil.example/", "embedded"},
      {"https://contos0-bank.example/", "homograph"},
      {"https://contoso-bnak.example/", "typo"},
      {"http://10.0.0.1/", "ip_address"},
      {"http://[::1]/", "ip_address"},
      {"https://contoso-bank.example@evil.example/", "userinfo"},
      {"https://\xd0\xb0pple.example/", "international"},
  };
  for (const auto& c : cases) {
    const http::Response page = get(path_of(c.url));
    EXPECT_EQ(page.status, 200) << c.url;
    EXPECT_NE(page.body.find("<form method=\"post\""), std::string::npos) << c.url;
    EXPECT_EQ(field(page, "Location"), "");
    EXPECT_EQ(events.back().decision, Decision::warn);
    EXPECT_EQ(name_of(service.check(tenant, c.url)->reasons.front()), c.reason) << c.url;
  }
  EXPECT_EQ(get(path_of("https://login.contoso-bank.example/")).status, 302);
}

TEST_F(Clicks, go_on_after_a_warning_only_with_its_proof) {
  const std::string path = path_of("http://10.0.0.1/x");
  const std::string proof = proof_in(get(path));
  ASSERT_FALSE(proof.empty());
  const http::Response on = post(path, "continue=" + proof);
  EXPECT_EQ(on.status, 303);
  EXPECT_EQ(field(on, "Location"), "http://10.0.0.1/x");
  EXPECT_EQ(events.back().went, Went::on_after_warning);
  const std::string path_of_same = path_of("http://10.0.0.1/x");
  EXPECT_EQ(post(path_of_same, "continue=" + proof).status, 200);  // another token
  EXPECT_EQ(post(path, "continue=" + proof, "cross-site").status, 200);
  EXPECT_EQ(post(path, "").status, 200);
  EXPECT_EQ(post(path, "continue=").status, 200);
  clock.advance(16 * 60 * 1000);
  EXPECT_EQ(post(path, "continue=" + proof).status, 200);
}

TEST_F(Clicks, on_a_blocked_link_never_go_on) {
  const std::string path = path_of("http://denied.example/");
  const std::string proof =
      seal_continuation(path.substr(path.rfind('/') + 1), clock.now() + 1000, keys.source(), soon()).value();
  const http::Response response = post(path, "continue=" + proof);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(field(response, "Location"), "");
  EXPECT_EQ(response.body.find("<form"), std::string::npos);
  EXPECT_EQ(response.body.find("href"), std::string::npos);
}

TEST_F(Clicks, are_answered_in_the_readers_language) {
  const std::string warned = path_of("http://10.0.0.1/"), blocked = path_of("http://denied.example/");
  const struct {
    std::string_view accepts, language;
  } cases[] = {{"de", "de"},
               {"de-AT,de;q=0.9,en;q=0.5", "de"},
               {"en-GB,de;q=0.9", "en"},
               {"fr", "en"},
               {"", "en"},
               {"fr, de;q=0.3", "de"},
               {"*", "en"},
               {"de;q=0", "en"},
               {"en;q=0.2, de;q=0.8", "de"}};
  for (const auto& c : cases) {
    for (const std::string& path : {warned, blocked, std::string("/x/y")}) {
      const http::Response page = get(path, std::string(c.accepts));
      EXPECT_NE(page.body.find("<html lang=\"" + std::string(c.language) + "\">"), std::string::npos) << c.accepts;
      EXPECT_EQ(field(page, "Content-Language"), c.language);
    }
  }
  EXPECT_NE(get(warned, "de").body.find("Ich kenne diese Adresse, weiter"), std::string::npos);
  EXPECT_NE(get(blocked, "de").body.find("gesperrt"), std::string::npos);
}

TEST_F(Clicks, get_pages_without_script_or_anything_from_elsewhere) {
  for (const std::string& path : {path_of("http://10.0.0.1/<script>\"'&"), path_of("http://denied.example/?<img>"),
                                  path_of("https://shop.example/") + "+", std::string("/")}) {
    const http::Response page = get(path);
    const std::string policy = field(page, "Content-Security-Policy");
    EXPECT_TRUE(policy.starts_with("default-src 'none'; style-src 'sha256-")) << policy;
    EXPECT_EQ(field(page, "Cache-Control"), "no-store");
    EXPECT_EQ(field(page, "Referrer-Policy"), "no-referrer");
    for (std::string_view bad : {"<script", "<img", "<link", "src=", "href=", "style=", "onclick"}) {
      EXPECT_EQ(page.body.find(bad), std::string::npos) << bad;
    }
    EXPECT_TRUE(page.body.starts_with("<!DOCTYPE html>"));
    EXPECT_TRUE(http::write(page, http::Body::send));
  }
}

TEST_F(Clicks, on_a_link_with_a_plus_show_where_it_leads) {
  const http::Response page = get(path_of("https://shop.example/secret?x=1") + "+");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("https://shop.example/secret?x=1"), std::string::npos);
  EXPECT_TRUE(events.empty());
}

TEST_F(Clicks, by_a_machine_that_only_asks_for_the_head_are_not_recorded) {
  EXPECT_EQ(get(path_of("https://shop.example/"), "en", "HEAD").status, 302);
  EXPECT_TRUE(events.empty());
}

TEST_F(Clicks, wait_for_keys_and_lists_instead_of_going_on_unchecked) {
  const std::string path = path_of("https://shop.example/");
  ClickService fresh(keys.source(), indicators, clock, nullptr);
  const http::Request request{"GET", path, 1, {}, {}};
  EXPECT_EQ(fresh.answer(request, soon()).status, 503);
  keys.set_away(true);
  EXPECT_EQ(get(path).status, 503);
}

TEST_F(Clicks, know_no_other_methods_or_pages) {
  EXPECT_EQ(get("/", "en", "DELETE").status, 405);
  EXPECT_EQ(get("/").status, 200);
  EXPECT_EQ(get("/favicon.ico").status, 404);
  EXPECT_EQ(get("/robots.txt").body, "User-agent: *\nDisallow: /\n");
}

TEST_F(Clicks, never_put_a_line_break_into_the_location) {
  for (std::string_view url : {"https://shop.example/%0d%0aSet-Cookie:x", "https://shop.example/\r\nSet-Cookie:x",
                               "https://shop.example/?\r\n\r\n<html>", "https://shop.example/#\r\nx"}) {
    const http::Response response = get(path_of(url));
    EXPECT_EQ(response.status, 302);
    const std::string bytes = http::write(response, http::Body::send).value();
    EXPECT_EQ(bytes.find("\r\nSet-Cookie"), std::string::npos);
    EXPECT_EQ(field(response, "Location").find_first_of("\r\n"), std::string::npos);
  }
}

class IndicatorFile : public Clicks {
 protected:
  IndicatorFile() { std::filesystem::create_directories(folder); }
  ~IndicatorFile() override { std::filesystem::remove_all(folder); }
  void write(std::string_view text) {
    std::ofstream(file, std::ios::binary) << text;
    // Two writes within one tick of the file system's clock must count, too.
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(++writes));
  }
  int writes = 0;
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("links-" + Id::random().text());
  std::filesystem::path file = folder / "indicators.txt";
  Indicators listed{file};
  ClickService checking{keys.source(), listed, clock, nullptr};
  LinkPolicies policies;
};

TEST_F(IndicatorFile, blocks_what_it_lists_and_is_read_anew_when_it_changes) {
  policies.tenants[tenant] = {"", {}, {"allowed.example"}, {}};
  checking.set_policies(policies);
  const auto decision = [this](std::string_view url) { return std::string(name_of(checking.check(tenant, url)->decision)); };
  EXPECT_EQ(decision("http://bad.example/"), "allow");
  EXPECT_EQ(checking.reload().error().kind, ErrorKind::not_found);
  write(
      "# comment\nbad.example  # a host\r\n*.worse.example\nhttps://shared.example/evil\n"
      "sha256:" +
      to_hex(std::string(32, 'x')) +
      "\nnot a rule\nallowed.example\nb\xc3\xbc"
      "cher.example\n");
  EXPECT_EQ(decision("http://bad.example/x"), "block");
  EXPECT_EQ(decision("http://www.bad.example/x"), "allow");
  EXPECT_EQ(decision("http://worse.example"), "block");
  EXPECT_EQ(decision("http://a.b.worse.example."), "block");
  EXPECT_EQ(decision("http://notworse.example"), "allow");
  EXPECT_EQ(decision("http://shared.example/evil?x"), "block");
  EXPECT_EQ(decision("http://shared.example/good"), "allow");
  EXPECT_EQ(decision("http://allowed.example/"), "block");  // stronger than the tenant's allow list
  EXPECT_EQ(decision("http://xn--bcher-kva.example/"), "block");
  const Result<Indicators::Loaded> loaded = checking.reload();
  EXPECT_EQ(loaded->rules, 6U);
  EXPECT_EQ(loaded->refused, 1U);
  write("other.example\n");
  EXPECT_EQ(decision("http://bad.example/x"), "allow");
  EXPECT_EQ(decision("http://other.example/x"), "block");
  std::filesystem::remove(file);
  EXPECT_EQ(decision("http://other.example/x"), "block");  // the rules in force stay
}

TEST(RuleSets, know_an_address_by_its_digest) {
  RuleSet rules;
  EXPECT_TRUE(rules.add("sha256:39021306bfa34811afd3241f2fb3c3aa85ffb75aa21c7bd4a6a0abef0e6b3bbd"));  // of https://a.example/x
  EXPECT_TRUE(rules.matches(*url::parse("https://A.example:443/x#part")));
  EXPECT_FALSE(rules.matches(*url::parse("https://a.example/y")));
  EXPECT_FALSE(rules.add("sha256:0f6a5b8dd0f2a4a2"));
  EXPECT_FALSE(rules.add(""));
  EXPECT_FALSE(rules.add("*."));
  EXPECT_FALSE(rules.add("ftp://a.example/"));
  EXPECT_EQ(rules.size(), 1U);
}

TEST(LinkPoliciesSnapshot, comes_back_as_it_was_written) {
  LinkPolicies policies;
  const Id tenant = Id::random();
  policies.tenants[tenant] = {"a", {"a.example"}, {"*.b.example", ""}, {"https://c.example/"}};
  policies.tenants[Id::random()] = {};
  const std::string bytes = encode(policies);
  const Result<LinkPolicies> back = parse_policies(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->tenants.size(), 2U);
  EXPECT_EQ(back->tenants.at(tenant).allow, policies.tenants[tenant].allow);
  for (std::size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(parse_policies(bytes.substr(0, length)));
  EXPECT_FALSE(parse_policies(bytes + "x"));
}

class LinkVerbs : public Clicks {};

TEST_F(LinkVerbs, answer_operators) {
  const auto ask = [this](std::string request) { return answer_verb(service, request, soon()); };
  const std::string checked =
      ask(R"({"verb":"link.check","tenant":"contoso-bank.example","url":"https://contos0-bank.example/"})").value();
  EXPECT_NE(checked.find(R"("decision":"warn")"), std::string::npos) << checked;
  EXPECT_NE(checked.find(R"("reasons":["homograph"])"), std::string::npos) << checked;
  const std::string link = "https://links.example" + path_of("https://shop.example/x");
  const std::string opened = ask(R"({"verb":"link.open","link":")" + link + "\"}").value();
  EXPECT_NE(opened.find(R"("url":"https://shop.example/x")"), std::string::npos) << opened;
  EXPECT_NE(opened.find(message.text()), std::string::npos);
  EXPECT_EQ(ask(R"({"verb":"link.open","link":"https://links.example/evil.example/)" + link.substr(link.rfind('/') + 1) + "\"}")
                .error()
                .kind,
            ErrorKind::denied);
  EXPECT_EQ(ask(R"({"verb":"link.reload"})").value(), R"({"rules":0,"refused":0})");
  EXPECT_EQ(ask(R"({"verb":"link.check","tenant":"nobody.example","url":"https://a.example/"})").error().kind,
            ErrorKind::not_found);
  EXPECT_EQ(ask(R"({"verb":"link.check","tenant":"contoso-bank.example","url":"mailto:x"})").error().kind,
            ErrorKind::unsupported);
  EXPECT_EQ(ask(R"({"verb":"link.else"})").error().kind, ErrorKind::not_found);
  EXPECT_EQ(ask("[]").error().kind, ErrorKind::invalid_input);
}

}  // namespace
}  // namespace mailhold::links
