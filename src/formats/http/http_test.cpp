#include <gtest/gtest.h>

#include "formats/http/entity_tag.h"
#include "formats/http/request.h"
#include "formats/http/response.h"

namespace mailhold::http {
namespace {

using State = RequestParser::State;

int status_of(std::string_view bytes) {
  RequestParser parser;
  const State state = parser.feed(bytes);
  return state == State::refused ? parser.status() : state == State::complete ? 200 : 0;
}

TEST(HttpRequest, reads_a_request_that_comes_byte_by_byte) {
  const std::string_view bytes =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nAccept-Language:\t de , en \r\ncontent-length: 3\r\n\r\nabcIGNORED";
  RequestParser parser;
  for (std::size_t i = 0; i + 7 < bytes.size(); ++i)
    EXPECT_EQ(parser.feed(bytes.substr(i, 1)) == State::complete, i + 8 == bytes.size());
  EXPECT_EQ(parser.request().method, "POST");
  EXPECT_EQ(parser.request().target, "/a?b");
  EXPECT_EQ(parser.request().field("accept-language"), "de , en");
  EXPECT_EQ(parser.request().body, "abc");
}

TEST(HttpRequest, a_field_that_comes_twice_is_read_as_one_list) {
  RequestParser parser;
  ASSERT_EQ(parser.feed("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\nif-none-match: \"a\"\r\nX-Empty:\r\nX-Empty:\r\n\r\n"),
            State::complete);
  EXPECT_EQ(parser.request().field("if-none-match"), "*");
  EXPECT_EQ(parser.request().joined_field("if-none-match"), "*, \"a\"");
  EXPECT_EQ(parser.request().joined_field("host"), "x");
  EXPECT_EQ(parser.request().joined_field("if-match"), "");
  EXPECT_EQ(parser.request().joined_field("x-empty"), ", ");
}

TEST(EntityTag, only_one_strong_tag_can_be_relied_on) {
  for (const char* tag : {"\"\"", "\"a\"", "\"v1-2/3+=\"", "\"\xc3\xa4\"", "\"a,b\""}) EXPECT_TRUE(is_strong_tag(tag)) << tag;
  for (const char* tag : {"", "*", "\"", "a", "W/\"a\"", "\"a\", \"b\"", "\"a\" ", " \"a\"", "\"a b\"", "\"a\r\nX: y\"",
                          "\"a\rb\"", "\"a\x7f\"", "\"a\"b\""})
    EXPECT_FALSE(is_strong_tag(tag)) << tag;
}

TEST(HttpRequest, refuses_what_two_programs_could_read_differently) {
  const struct {
    std::string_view bytes;
    int status;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200},
      {"GET / HTTP/1.0\r\n\r\n", 200},
      {"GET / HTTP/1.1\r\nHost: x\r\n", 0},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
      {"GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /\x80 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /\t HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"GET / FTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: x\r\nHost: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: a\nb\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: x\n\n\r\n\r\n", 400},
      {"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n0", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n0", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n0", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n0", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4097\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nHost: x\r\n\r\n", 411},
      {"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", 417},
  };
  for (const auto& c : cases) EXPECT_EQ(status_of(c.bytes), c.status) << c.bytes;
}

TEST(HttpRequest, keeps_to_its_limits) {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(status_of("GET /" + std::string(17'000, 'a')), 414);
  EXPECT_EQ(status_of("GET /" + std::string(17'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
  EXPECT_EQ(status_of(head + "X: " + std::string(40'000, 'a')), 431);
  EXPECT_EQ(status_of(head + "X: " + std::string(40'000, 'a') + "\r\n\r\n"), 431);
  std::string many = head;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  EXPECT_EQ(status_of(many + "\r\n"), 431);
  EXPECT_EQ(status_of(std::string(1'000'000, '\r')), 414);
}

TEST(HttpResponse, never_lets_a_line_break_into_a_field) {
  Response response{302, {{"Location", "https://a.example/\r\nSet-Cookie: x=y"}}, ""};
  EXPECT_EQ(write(response, Body::send).error().kind, ErrorKind::bug);
  response.fields = {{"X\r\nY", "z"}};
  EXPECT_FALSE(write(response, Body::send));
  response.fields = {{"Location", "https://a.example/"}};
  response.body = "page";
  EXPECT_EQ(*write(response, Body::send),
            "HTTP/1.1 302 Found\r\nLocation: https://a.example/\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage");
  EXPECT_TRUE(write(response, Body::leave_out)->ends_with("\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"));
}

}  // namespace
}  // namespace mailhold::http
