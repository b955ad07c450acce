#include "formats/html/html_links.h"

#include <chrono>

#include "base/text.h"
#include "corpora.h"
#include "formats/html/named_references.h"

namespace mailhold::html {
namespace {

std::string urls_of(std::string_view html) {
  std::string all;
  for (const HtmlLink& link : find_links(html).links) all += (all.empty() ? "" : " | ") + link.url;
  return all;
}

std::string spans_of(std::string_view html) {
  std::string all;
  for (const HtmlLink& link : find_links(html).links)
    all += (all.empty() ? "" : " | ") + std::string(html.substr(link.offset, link.length));
  return all;
}

struct Case {
  std::string_view html;
  std::string_view urls;
};

TEST(HtmlLinks, stand_in_the_order_of_the_text_whatever_the_order_of_attributes) {
  EXPECT_EQ(urls_of(R"(<meta href="http://a.example/" http-equiv=refresh content="0; url=http://b.example/">)"),
            "http://a.example/ | http://b.example/");
  EXPECT_EQ(urls_of(R"(<meta content="0; url=http://b.example/" http-equiv=refresh href="http://a.example/">)"),
            "http://b.example/ | http://a.example/");
}

TEST(HtmlLinks, finds_every_place_that_a_click_may_lead_to) {
  const Case cases[] = {
      {R"(<a href="http://a.example/x">x</a>)", "http://a.example/x"},
      {R"(<A HREF='HTTPS://a.example/'>)", "https://a.example/"},
      {R"(<a href=http://a.example/x/>)", "http://a.example/x/"},
      {R"(<area href="http://a.example">)", "http://a.example"},
      {R"(<form action="http://a.example/f"><button formaction=https://b.example/g>)",
       "http://a.example/f | https://b.example/g"},
      {R"(<svg><a xlink:href="http://a.example"/></svg>)", "http://a.example"},
      {R"(<v:roundrect href="http://a.example/b">)", "http://a.example/b"},
      {R"(<meta http-equiv="Refresh" content="0; URL='http://a.example/'">)", "http://a.example/"},
      {R"(<meta content="3;http://a.example/" http-equiv=refresh>)", "http://a.example/"},
      {R"(<meta content="0;&#117;rl=&quot;http://a.example/&quot;" http-equiv=refresh>)", "http://a.example/"},
      {R"(<meta name=x content="0;url=http://a.example/">)", ""},
      {R"(<img src="http://a.example/i.png"><link href="http://a.example/s.css">)", ""},
      {R"(<a href="mailto:x@a.example"><a href="#top"><a href="/x"><a href="javascript:x">)", ""},
      {R"(http://a.example/ in text)", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(urls_of(c.html), c.urls) << c.html;
}

TEST(HtmlLinks, reads_a_scheme_as_browsers_do) {
  const Case cases[] = {
      {"<a href=\" \x01http://a.example/ \">", "http://a.example/"},
      {"<a href=\"ht\ttp\n://a.exa\rmple/\">", "http://a.example/"},
      {R"(<a href="//a.example/x">)", "https://a.example/x"},
      {R"(<a href="\\a.example/x">)", "https://a.example/x"},
      {R"(<a href="/\a.example/x">)", "https://a.example/x"},
      {R"(<a href="http:a.example/x">)", "http://a.example/x"},
      {R"(<a href="http:\\a.example\x">)", "http://a.example\\x"},
      {R"(<a href="https:////a.example">)", "https://a.example"},
      {R"(<a href="&#104;ttp&colon;&sol;&sol;a.example&#x2fx">)", "http://a.example/x"},
      {R"(<a href="h&Tab;ttp&NewLine;://a.example">)", "http://a.example"},
      {R"(<a href="http&#58//a.example/?a=1&copy=2&amp;b">)", "http://a.example/?a=1&copy=2&b"},
      {R"(<a href="xhttp://a.example">)", ""},
      {"<a href=\"http://b\xfc"
       "cher.example/\">",
       "http://b\xc3\xbc"
       "cher.example/"},
      {"<a href=\"http://b\xc3\xbc"
       "cher.example/\">",
       "http://b\xc3\xbc"
       "cher.example/"},
      {"<a href=\"http://b&uuml;cher.example/\">",
       "http://b\xc3\xbc"
       "cher.example/"},
  };
  for (const Case& c : cases) EXPECT_EQ(urls_of(c.html), c.urls) << c.html;
}

TEST(HtmlLinks, resolves_relative_links_against_a_base_in_the_mail) {
  const Case cases[] = {
      {R"(<a href="x/y?z"><base href="http://a.example/d/e?f">)", "http://a.example/d/x/y?z"},
      {R"(<base href="http://a.example"><a href="x"><a href="/y"><a href="?z"><a href="#n"><a href="//b.example/">)",
       "http://a.example/x | http://a.example/y | http://a.example?z | http://b.example/"},
      {R"(<base href="http://a.example/d/"><a href="http:x"><a href="https:b.example">)",
       "http://a.example/d/x | https://b.example"},
      {R"(<base href="http://a.example/"><base href="http://b.example/"><a href=x>)", "http://a.example/x"},
      {R"(<base href="about:blank"><a href=x>)", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(urls_of(c.html), c.urls) << c.html;
}

TEST(HtmlLinks, follows_the_tokenizer_of_the_standard_through_broken_tags) {
  const Case cases[] = {
      {R"(<!-- <a href="http://no.example"> --><a href=http://a.example>)", "http://a.example"},
      {R"(<!--><a href=http://a.example>-->)", "http://a.example"},
      {R"(<!---><a href=http://a.example>-->)", "http://a.example"},
      {R"(<!-- x --!><a href=http://a.example>)", "http://a.example"},
      {R"(<!--!><a href=http://no.example>)", ""},
      {R"(<!x "><a href=http://a.example>)", "http://a.example"},
      {R"(<?x "><a href=http://a.example>)", "http://a.example"},
      {R"(<!DOCTYPE html PUBLIC "x><a href=http://a.example>)", "http://a.example"},
      {R"(<script>"<a href=http://no.example>"</script><a href=http://a.example>)", "http://a.example"},
      {R"(<script><!--<script></script><a href=http://no.example></script><a href=http://a.example>)", "http://a.example"},
      {R"(<script><!--<script>--></script><a href=http://a.example>)", "http://a.example"},
      {R"(<style><a href=http://no.example></style ><a href=http://a.example>)", "http://a.example"},
      {R"(<title><a href=http://no.example></titlex></title/><a href=http://a.example>)", "http://a.example"},
      {R"(<style><a href=http://no.example>)", ""},
      {R"(<![CDATA[<a href=http://no.example>]]><a href=http://a.example>)", "http://a.example"},
      {R"(<p x="><a href=http://no.example>"><a href=http://a.example>)", "http://a.example"},
      {R"(<a title='>' href=http://a.example>)", "http://a.example"},
      {R"(<a/href="http://a.example"/x>)", "http://a.example"},
      {R"(<a =href=http://no.example href = http://a.example>)", "http://a.example"},
      {R"(<a"href="http://no.example"><a href="http://a.example"x="y">)", "http://a.example"},
      {R"(<a href="http://no.example)", ""},
      {R"(<a href="http://no.example")", ""},
      {R"(< a href=http://no.example></a href=http://no.example></ href=http://no.example>)", ""},
      {R"(<a href=><a href><a href="">)", ""},
      {R"(<noscript><a href=http://a.example></noscript>)", "http://a.example"},
  };
  for (const Case& c : cases) EXPECT_EQ(urls_of(c.html), c.urls) << c.html;
}

TEST(HtmlLinks, looks_into_conditional_comments) {
  EXPECT_EQ(urls_of(R"(<!--[if mso]><v:rect href="http://a.example"/><![endif]--><a href="http://b.example">)"),
            "http://a.example | http://b.example");
  EXPECT_EQ(urls_of(R"(<!--[if !mso]><!--><a href="http://a.example"><!--<![endif]--><a href=http://b.example>)"),
            "http://a.example | http://b.example");
  EXPECT_EQ(urls_of(R"(<![if !mso]><a href="http://a.example"><![endif]>)"), "http://a.example");
  // The comment ends where a browser ends it, whatever is open inside.
  EXPECT_EQ(urls_of(R"(<!--[if x]><p title="--><a href=http://a.example>)"), "http://a.example");
}

TEST(HtmlLinks, reports_the_links_of_every_reading_when_raw_text_is_in_doubt) {
  const Case cases[] = {
      {R"(<svg><style><a href=http://a.example></style></svg>)", "http://a.example"},
      {R"(<select><style></select><a href=http://a.example>)", "http://a.example"},
      {R"(<svg><![CDATA[<p title="]]><a href=http://a.example>">)", "http://a.example"},
      {R"(<svg><p><style><!--</style><a href=http://a.example>-->)", "http://a.example"},
      {R"(<noframes><a href=http://a.example></noframes>)", "http://a.example"},
      {R"(<plaintext><a href=http://a.example>)", "http://a.example"},
  };
  for (const Case& c : cases) {
    const HtmlLinks links = find_links(c.html);
    ASSERT_EQ(links.links.size(), 1U) << c.html;
    EXPECT_EQ(links.links[0].url, c.urls) << c.html;
  }
  EXPECT_TRUE(find_links(cases[1].html).ambiguous);
  EXPECT_FALSE(find_links("<style>p{}</style><svg><a href=http://a.example></a></svg>").ambiguous);
}

TEST(HtmlLinks, gives_the_span_of_the_value_and_nothing_else) {
  const std::string html = R"(<a href="http://a.example/?x&amp;y">h</a><a href='http://b.example'><a href=http://c.example/ >)";
  EXPECT_EQ(spans_of(html), "http://a.example/?x&amp;y | http://b.example | http://c.example/");
  const auto links = find_links(html).links;
  EXPECT_EQ(links[0].quote, '"');
  EXPECT_EQ(links[1].quote, '\'');
  EXPECT_EQ(links[2].quote, 0);
  EXPECT_EQ(spans_of(R"(<meta http-equiv=refresh content="0; url='http://a.example/?a&amp;b' x">)"), "http://a.example/?a&amp;b");
}

TEST(HtmlLinks, an_escaped_value_decodes_to_itself_and_stays_one_attribute) {
  const std::string nasty = "http://a.example/?\"'<>&amp;=` \t\n\r\f&copy";
  const std::string escaped = escape_for_attribute(nasty);
  EXPECT_EQ(decode_attribute(escaped), nasty);
  for (std::string quote : {"\"", "'", ""}) {
    const std::string html = "<a href=" + quote + escape_for_attribute("http://a.example/?\"'<> x") + quote + ">";
    EXPECT_EQ(urls_of(html), "http://a.example/?\"'<> x") << html;
  }
}

TEST(HtmlLinks, decodes_references_as_the_standard_does_in_attributes) {
  const Case cases[] = {{"&amp", "&"},
                        {"&ampx", "&ampx"},
                        {"&amp=", "&amp="},
                        {"&amp;x", "&x"},
                        {"&notit;", "&notit;"},
                        {"&#0;", "\xef\xbf\xbd"},
                        {"&#x80;", "\xe2\x82\xac"},
                        {"&#xD800;", "\xef\xbf\xbd"},
                        {"&#99999999999;", "\xef\xbf\xbd"},
                        {"&#;", "&#;"},
                        {"&#x;", "&#x;"},
                        {"&", "&"},
                        {"&nope;", "&nope;"},
                        {"&fjlig;", "fj"}};
  for (const Case& c : cases) EXPECT_EQ(decode_attribute(c.html), c.urls) << c.html;
}

TEST(HtmlLinks, stays_linear_on_hostile_input) {
  const std::string pieces[] = {"<",
                                "<a ",
                                "<!--",
                                "<!--[if",
                                "<!--[if]>",
                                "</",
                                "<script>",
                                "<script><!--",
                                "<style>",
                                "<svg>",
                                "<svg><title>",
                                "&",
                                "<a href=&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                "<a href=\"",
                                "<select><style>",
                                "-",
                                "<!---",
                                "<a =",
                                "<a/",
                                "</svg>",
                                "<a href=http://a.example>",
                                "<a href=x><base href=http://a.example/>"};
  for (const std::string& piece : pieces) {
    std::string html;
    while (html.size() < 500'000) html += piece;
    const auto start = std::chrono::steady_clock::now();
    find_links(html);
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took, std::chrono::seconds(10)) << piece;  // quadratic work would take hours
  }
}

TEST(HtmlLinks, survives_the_html_collection) {
  CORPUS_OR_RETURN(folder, "mimekit-html");
  std::size_t files = 0, bytes = 0, links = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".html") continue;
    const std::string html = read_whole_file(entry.path());
    for (const HtmlLink& link : find_links(html).links) {
      EXPECT_TRUE(link.url.starts_with("http"));
      ++links;
    }
    ++files;
    bytes += html.size();
  }
  std::printf("mimekit-html: %zu files, %zu bytes, %zu links\n", files, bytes, links);
  EXPECT_GT(files, 5U);
}

TEST(HtmlLinks, knows_every_named_reference_of_the_collection) {
  CORPUS_OR_RETURN(folder, "mimekit-html");
  const std::string json = read_whole_file(folder / "HtmlEntities.json");
  std::size_t names = 0;
  for (std::size_t at = json.find("\"&"); at != std::string::npos; at = json.find("\"&", at + 1)) {
    const std::string name = json.substr(at + 1, json.find('"', at + 1) - at - 1);
    EXPECT_NE(decode_attribute(name), name) << name;
    ++names;
  }
  std::printf("named references: %zu\n", names);
  EXPECT_GT(names, 2000U);
}

}  // namespace
}  // namespace mailhold::html
