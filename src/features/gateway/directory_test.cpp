#include "features/gateway/directory.h"

#include <gtest/gtest.h>

namespace mailhold::gateway {
namespace {

using Known = Directory::Known;

DirectorySnapshot two_tenants() {
  DirectorySnapshot snapshot{7, 1'000, {}};
  Tenant one;
  one.id = Id::from_bytes(std::string(16, 'a'));
  one.name = "One";
  one.link_base = "https://links.one.test";
  one.policy.virus = Action::reject;
  one.policy.blocked_types = {"exe"};
  one.limits.recipients_max = 5;
  one.domains = {{"one.test", false, {"ann", "Bob"}}, {"any.one.test", true, {}}};
  Tenant two;
  two.id = Id::from_bytes(std::string(16, 'b'));
  two.policy.scan = ScanMode::none;
  two.suspended = true;
  two.domains = {{"Two.test", false, {}}};
  snapshot.tenants = {one, two};
  return snapshot;
}

TEST(Directory, finds_tenants_and_recipients) {
  const auto directory = Directory::build(two_tenants());
  ASSERT_TRUE(directory);
  const auto known = [&](const char* local, const char* domain) { return directory->find(local, domain).known; };
  EXPECT_EQ(known("ann", "one.test"), Known::yes);
  EXPECT_EQ(known("ANN", "One.Test"), Known::yes);
  EXPECT_EQ(known("bob", "one.test"), Known::yes);
  EXPECT_EQ(known("ann+news", "one.test"), Known::yes);
  EXPECT_EQ(known("+ann", "one.test"), Known::no_such_recipient);
  EXPECT_EQ(known("eve", "one.test"), Known::no_such_recipient);
  EXPECT_EQ(known("eve", "any.one.test"), Known::yes);
  EXPECT_EQ(known("eve", "two.test"), Known::no_such_recipient);
  EXPECT_EQ(known("ann", "sub.one.test"), Known::no_such_domain);
  EXPECT_EQ(directory->find("x", "two.test").tenant->suspended, true);
  EXPECT_EQ(directory->owner_of("TWO.test")->id, two_tenants().tenants[1].id);
  EXPECT_EQ(directory->tenant(Id::random()), nullptr);
}

TEST(Directory, survives_the_wire) {
  const std::string bytes = write_directory(two_tenants());
  const auto read = parse_directory(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(write_directory(*read), bytes);
  EXPECT_EQ(read->tenants[0].policy.virus, Action::reject);
  EXPECT_EQ(read->tenants[1].policy.scan, ScanMode::none);
}

TEST(Directory, refuses_every_truncation_and_odd_values) {
  std::string bytes = write_directory(two_tenants());
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(parse_directory(std::string_view(bytes).substr(0, i))) << i;
  EXPECT_FALSE(parse_directory(bytes + "x"));
  bytes[0] = 9;
  EXPECT_FALSE(parse_directory(bytes));
}

TEST(Directory, refuses_a_domain_of_two_tenants) {
  DirectorySnapshot snapshot = two_tenants();
  snapshot.tenants[1].domains.push_back({"ONE.test", true, {}});
  EXPECT_EQ(Directory::build(snapshot).error().kind, ErrorKind::invalid_input);
}

}  // namespace
}  // namespace mailhold::gateway
