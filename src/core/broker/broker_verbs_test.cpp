#include "core/broker/broker_verbs.h"

#include <gtest/gtest.h>

namespace mailhold::broker {
namespace {

const Id tenant = Id::from_bytes("tenant--tenant--");

access::Operation route_set(const std::string& pins) {
  return {
      "route.set", tenant, {{"kind", "smtp-auth"}, {"host", "mx.example"}, {"port", "587"}, {"tls", "required"}, {"pins", pins}},
      tenant,      1000,   tenant};
}

TEST(RouteFromOperation, keeps_every_pin) {
  const std::string first(64, 'a'), second(64, 'b');
  const auto route = route_from(route_set(first + "," + second), tenant);
  ASSERT_TRUE(route) << route.error().detail;
  EXPECT_EQ(route->pins, (std::vector<std::string>{first, second}));
}

TEST(RouteFromOperation, names_what_is_wrong_with_a_route) {
  const auto route = route_from(route_set("abc"), tenant);
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error().kind, ErrorKind::invalid_input);
  EXPECT_NE(route.error().detail.find("pins"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::broker
