#include <gtest/gtest.h>

#include "corpora.h"
#include "formats/mail/addresses.h"
#include "formats/mail/message_links.h"
#include "formats/mime/transfer.h"

namespace mailhold::mail {
namespace {

std::string rewritten(const std::string& bytes, const std::string& prefix = "https://links.example.net/") {
  const mime::Message message = mime::parse(bytes);
  const MessageLinks links = find_links(bytes, message);
  std::vector<std::string> replacements;
  for (std::size_t i = 0; i < links.urls.size(); ++i) replacements.push_back(prefix + std::to_string(i));
  auto result = apply_splices(bytes, replace_links(bytes, message, links, replacements, 1u << 20));
  EXPECT_TRUE(result);
  return result ? *result : std::string();
}

TEST(MessageLinks, replaces_links_of_plain_text_and_leaves_all_else) {
  EXPECT_EQ(rewritten("Subject: x\r\n\r\nSee http://evil.example/a. \xE9 Bye\r\n"),
            "Subject: x\r\n\r\nSee https://links.example.net/0. \xE9 Bye\r\n");
}

TEST(MessageLinks, replaces_links_of_html_in_8bit) {
  EXPECT_EQ(rewritten("Content-Type: text/html\r\n\r\n<a href='http://evil.example/?a=1&amp;b=2'>x</a>\r\n"),
            "Content-Type: text/html\r\n\r\n<a href='https://links.example.net/0'>x</a>\r\n");
}

TEST(MessageLinks, replaces_links_of_quoted_printable_within_their_encoding) {
  const std::string head = "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
  const std::string body =
      "<p>=C3=BCber</p> <a href=3D\"http://evil.example/a/very/long/path/that/is/brok=\r\nen/over/lines\">x</a> "
      "=\r\n<b>end</b>\r\n";
  const std::string after = rewritten(head + body);
  const std::string decoded = mime::decode_quoted_printable(after.substr(head.size())).bytes;
  EXPECT_EQ(decoded, "<p>über</p> <a href=\"https://links.example.net/0\">x</a> <b>end</b>\r\n");
  EXPECT_TRUE(after.starts_with(head + "<p>=C3=BCber</p> <a href=3D\""));
  EXPECT_TRUE(after.ends_with("\">x</a> =\r\n<b>end</b>\r\n"));
}

TEST(MessageLinks, keeps_quoted_printable_lines_short) {
  const std::string head = "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
  const std::string link = "<a href=3D\"http://e.example/\">x</a>";
  const std::string after = rewritten(head + link + link + "\r\n", "https://links.example.net/" + std::string(150, 'a') + "/");
  const std::string body = after.substr(head.size());
  std::size_t line = 0;
  for (const char c : body) {
    line = c == '\n' ? 0 : line + 1;
    EXPECT_LE(line, 77u);
  }
  EXPECT_NE(mime::decode_quoted_printable(body).bytes.find("/" + std::string(150, 'a') + "/0\">x</a><a href"), std::string::npos);
}

TEST(MessageLinks, encodes_base64_parts_again_with_their_own_line_length) {
  const std::string head =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: "
      "base64\r\n\r\n";
  const std::string text = "<a href=\"http://evil.example/\">x</a>" + std::string(200, '.');
  const std::string after = rewritten(head + mime::encode_base64_lines(text, 64, "\r\n", true) + "--b--\r\n");
  EXPECT_EQ(after, head +
                       mime::encode_base64_lines("<a href=\"https://links.example.net/0\">x</a>" + std::string(200, '.'), 64,
                                                 "\r\n", true) +
                       "--b--\r\n");
}

TEST(MessageLinks, leaves_signed_and_encrypted_parts_alone) {
  const std::string is_signed =
      "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhttp://a.example/\r\n--b--\r\n";
  EXPECT_EQ(rewritten(is_signed), is_signed);
  const std::string pgp = "Content-Type: text/plain\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nhttp://a.example/\r\n";
  EXPECT_EQ(rewritten(pgp), pgp);
  const mime::Message message = mime::parse(pgp);
  EXPECT_EQ(find_links(pgp, message).left, std::vector<LinksLeft>{LinksLeft::protected_part});
}

TEST(MessageLinks, asks_once_for_a_url_that_occurs_twice) {
  const std::string bytes =
      "Content-Type: text/html\r\n\r\n<a href='http://a.example/'>1</a><a href='http://a.example/'>2</a>\r\n";
  const MessageLinks links = find_links(bytes, mime::parse(bytes));
  EXPECT_EQ(links.urls.size(), 1u);
  EXPECT_EQ(links.count, 2u);
}

TEST(MessageLinks, leaves_what_is_beyond_the_limit) {
  std::string bytes = "Content-Type: text/plain\r\n\r\n";
  for (int i = 0; i < 30; ++i) bytes += "http://a.example/" + std::to_string(i) + "\r\n";
  const MessageLinks links = find_links(bytes, mime::parse(bytes), {20, 1u << 20});
  EXPECT_EQ(links.count, 20u);
  EXPECT_EQ(links.left, std::vector<LinksLeft>{LinksLeft::too_many});
}

TEST(MessageLinks, changes_nothing_but_links_in_ordinary_mail) {
  CORPUS_OR_RETURN(folder, "spamassassin-public-corpus");
  std::size_t messages = 0, links_found = 0, left = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".eml") continue;
    const std::string bytes = read_whole_file(entry.path());
    const mime::Message message = mime::parse(bytes);
    const MessageLinks links = find_links(bytes, message);
    std::vector<std::string> replacements;
    for (const std::string& url : links.urls) replacements.push_back("https://links.example.net/" + std::to_string(url.size()));
    auto splices = replace_links(bytes, message, links, replacements, 64u << 20);
    auto after = apply_splices(bytes, splices);
    ASSERT_TRUE(after) << entry.path();
    // Every part of the result decodes to the text with exactly its links replaced; and no link is left over.
    const mime::Message again = mime::parse(*after);
    ASSERT_EQ(again.parts.size(), message.parts.size()) << entry.path();
    const MessageLinks rest = find_links(*after, again);
    for (const std::string& url : rest.urls) left += !url.starts_with("https://links.example.net/");
    EXPECT_EQ(rest.count, links.count) << entry.path();
    ++messages;
    links_found += links.count;
  }
  std::printf("spamassassin corpus: %zu links in %zu messages replaced, %zu left\n", links_found, messages, left);
  EXPECT_EQ(left, 0u);
}

TEST(Splices, refuse_to_overlap_or_leave_the_message) {
  EXPECT_FALSE(apply_splices("0123456789", std::vector<Splice>{{5, 6, ""}}));
  EXPECT_FALSE(apply_splices("0123456789", std::vector<Splice>{{2, 4, ""}, {5, 1, ""}}));
  EXPECT_FALSE(apply_splices("0123456789", std::vector<Splice>{{~0ull, 2, ""}}));
  EXPECT_EQ(*apply_splices("0123456789", std::vector<Splice>{{0, 1, "a"}, {5, 0, "--"}, {9, 1, ""}}), "a1234--5678");
}

TEST(Splices, tell_where_spans_went) {
  const std::vector<Splice> splices = {{2, 2, "abcd"}, {6, 3, ""}};
  Shift shift(splices);
  EXPECT_EQ(shift.start(0), 0u);
  EXPECT_EQ(shift.start(4), 6u);
  EXPECT_EQ(shift.end(6), 8u);
  EXPECT_EQ(shift.start(9), 8u);
}

TEST(Addresses, finds_addr_specs) {
  EXPECT_EQ(addresses_of(" Ann <ann@example.com>"), std::vector<std::string>{"ann@example.com"});
  EXPECT_EQ(addresses_of("a@b.example (comment), \"x, y\" <c@d.example>"),
            (std::vector<std::string>{"a@b.example", "c@d.example"}));
  EXPECT_EQ(addresses_of("Group: a@b.example, c@d.example;"), (std::vector<std::string>{"a@b.example", "c@d.example"}));
  EXPECT_EQ(addresses_of("\"evil@example.com\" <real@example.net>"), std::vector<std::string>{"real@example.net"});
  EXPECT_TRUE(addresses_of("nobody").empty());
}

}  // namespace
}  // namespace mailhold::mail
