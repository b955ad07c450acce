#include "core/broker/token_request.h"

#include <gtest/gtest.h>

#include "base/log.h"

#include "core/broker/broker_messages.h"

namespace mailhold::broker {
namespace {

std::string refusal(int status, std::string_view body) {
  const auto token = read_token_answer(status, body);
  return token ? "a token" : std::string(name_of(token.error().kind)) + ": " + token.error().detail;
}

TEST(TokenAnswer, gives_the_token_and_nothing_else) {
  EXPECT_EQ(read_token_answer(200, R"({"token_type":"bearer","expires_in":3599,"access_token":"eyJ.a-_~b"})")->reveal(),
            "eyJ.a-_~b");
  EXPECT_EQ(read_token_answer(200, R"({"access_token":"x"})")->reveal(), "x");
}

TEST(TokenAnswer, a_refusal_is_named_by_what_the_standard_knows) {
  EXPECT_EQ(refusal(401, R"({"error":"invalid_client","error_description":"secret words of the provider"})"),
            "denied: the token endpoint refused the client: 401 invalid_client");
  EXPECT_EQ(refusal(400, R"({"error":"words of its own"})"), "denied: the token endpoint refused the client: 400");
  EXPECT_EQ(refusal(400, "<html>"), "denied: the token endpoint refused the client: 400");
  EXPECT_EQ(refusal(302, ""), "denied: the token endpoint redirects, which is not followed: 302");
  for (const int later : {429, 500, 503})
    EXPECT_EQ(refusal(later, R"({"access_token":"x"})"),
              "unavailable: the token endpoint gives no token now: " + std::to_string(later));
  EXPECT_EQ(refusal(201, R"({"access_token":"x"})"), "denied: the token endpoint refused the client: 201");
}

TEST(TokenAnswer, what_is_no_bearer_token_of_use_is_refused) {
  for (const char* body : {"", "[]", "{", R"({"access_token":5})", R"({"access_token":""})", R"({"access_token":"a b"})",
                           R"({"access_token":"a\r\nX: y"})", R"({"access_token":"a"} x)"})
    EXPECT_EQ(read_token_answer(200, body).error().kind, ErrorKind::invalid_input) << body;
  EXPECT_EQ(read_token_answer(200, R"({"access_token":"a","token_type":"mtls_pop"})").error().kind, ErrorKind::denied);
  EXPECT_EQ(read_token_answer(200, R"({"access_token":"a","expires_in":0})").error().kind, ErrorKind::denied);
  EXPECT_EQ(read_token_answer(200, R"({"access_token":"a","expires_in":-5})").error().kind, ErrorKind::denied);
  EXPECT_EQ(read_token_answer(200, std::string(300 * 1024, ' ')).error().kind, ErrorKind::limit_exceeded);
}

access::Route route_with(access::SignIn sign_in) {
  access::Route route;
  route.id = route.tenant = Id::from_bytes("tenant--tenant--");
  route.kind = access::RouteKind::smtp_auth;
  route.host = "smtp.example.test";
  route.ca_file = "system";
  route.sign_in = sign_in;
  if (sign_in == access::SignIn::assertion) {
    route.user = "relay@example.test";
    route.token_host = "login.example.test";
  }
  return route;
}

TEST(PolicyOfARoute, T17_whatever_moves_its_token_endpoint_changes_it) {
  const access::Route before = route_with(access::SignIn::assertion);
  const auto moved = [&](auto change) {
    access::Route after = before;
    change(after);
    return policy_of(after) != policy_of(before);
  };
  EXPECT_TRUE(moved([](access::Route& r) { r.token_host = "evil.example.test"; }));
  EXPECT_TRUE(moved([](access::Route& r) { r.token_port = 444; }));
  EXPECT_TRUE(moved([](access::Route& r) { r.user = "eve@example.test"; }));
  EXPECT_TRUE(moved([](access::Route& r) { r.sign_in = access::SignIn::bearer; }));
  EXPECT_TRUE(moved([](access::Route& r) { r.sign_in = access::SignIn::password; }));
  EXPECT_FALSE(moved([](access::Route& r) { r.concurrency = 9; }));
}

}  // namespace
}  // namespace mailhold::broker
