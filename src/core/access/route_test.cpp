#include "core/access/route.h"

#include <gtest/gtest.h>

namespace mailhold::access {
namespace {

Route with_assertion() {
  Route route;
  route.id = Id::random();
  route.tenant = Id::random();
  route.kind = RouteKind::smtp_auth;
  route.host = "smtp.example.test";
  route.port = 587;
  route.ca_file = "system";
  route.sign_in = SignIn::assertion;
  route.user = "relay@example.test";
  route.token_host = "login.example.test";
  route.token_port = 8443;
  return route;
}

TEST(Route, comes_back_as_it_was_and_no_other_way) {
  ByteWriter writer;
  write_route(writer, with_assertion());
  const std::string bytes = writer.take();
  ByteReader reader(bytes);
  const auto back = read_route(reader);
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->user, "relay@example.test");
  EXPECT_EQ(back->token_port, 8443);
  EXPECT_TRUE(reader.finish());
  const std::size_t old_end = bytes.size() - (1 + 4 + back->user.size() + 4 + back->token_host.size() + 2);  // see the next test
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (size == old_end) continue;
    ByteReader cut(std::string_view(bytes).substr(0, size));
    EXPECT_FALSE(read_route(cut) && cut.finish()) << size;
  }
}

TEST(Route, a_row_from_before_there_were_tokens_signs_in_by_password) {
  Route route = with_assertion();
  route.sign_in = SignIn::password;
  route.user.clear();
  route.token_host.clear();
  route.token_port = 443;
  ByteWriter writer;
  write_route(writer, route);
  ByteReader old(std::string_view(writer.view()).substr(0, writer.view().size() - 11));
  const auto back = read_route(old);
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(*back, route);
  EXPECT_TRUE(old.finish());
}

TEST(Route, T17_no_assertion_without_a_token_host_that_is_verified) {
  ASSERT_TRUE(check_route(with_assertion()));
  const auto refused = [](auto change) {
    Route route = with_assertion();
    change(route);
    return !check_route(route);
  };
  EXPECT_TRUE(refused([](Route& r) { r.token_host.clear(); }));
  EXPECT_TRUE(refused([](Route& r) { r.token_host = "a b"; }));
  EXPECT_TRUE(refused([](Route& r) { r.token_port = 0; }));
  EXPECT_TRUE(refused([](Route& r) { r.user.clear(); }));
  EXPECT_TRUE(refused([](Route& r) { r.user = "a\1b"; }));
  EXPECT_TRUE(refused([](Route& r) { r.ca_file.clear(), r.pins = {std::string(64, 'a')}; }));  // pins are of the mail server
  EXPECT_TRUE(refused([](Route& r) { r.sign_in = SignIn::password; }));
  EXPECT_TRUE(refused([](Route& r) { r.sign_in = static_cast<SignIn>(9); }));
  EXPECT_TRUE(refused([](Route& r) { r.kind = RouteKind::relay; }));
  EXPECT_TRUE(refused([](Route& r) { r.sign_in = SignIn::bearer, r.token_host.clear(); }));  // its user stands in the secret
}

TEST(Route, another_way_to_sign_in_widens_it) {
  const Route before = with_assertion();
  const auto widens_with = [&](auto change) {
    Route after = before;
    change(after);
    return widens(&before, after);
  };
  EXPECT_FALSE(widens_with([](Route& r) { r.concurrency = 9; }));
  EXPECT_TRUE(widens_with([](Route& r) { r.token_host = "other.example.test"; }));
  EXPECT_TRUE(widens_with([](Route& r) { r.token_port = 443; }));
  EXPECT_TRUE(widens_with([](Route& r) { r.user = "eve@example.test"; }));
  EXPECT_TRUE(widens_with([](Route& r) { r.sign_in = SignIn::bearer, r.user.clear(), r.token_host.clear(); }));
}

}  // namespace
}  // namespace mailhold::access
