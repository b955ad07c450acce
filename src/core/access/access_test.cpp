#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/text.h"
#include "core/access/people.h"
#include "core/access/route.h"

namespace mailhold::access {
namespace {

Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

class PeopleTest : public testing::Test {
 protected:
  PeopleTest() : clock(1'000'000'000) {
    std::string pattern = "/tmp/people-test-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    records = *records::open("sqlite:" + (folder / "people.db").string(), soon());
    people = *People::open(*records, clock, soon());
  }

  ~PeopleTest() override {
    people.reset();
    records.reset();
    std::filesystem::remove_all(folder);
  }

  struct Key {
    Id id = Id::random();
    crypto::Ed25519Signer signer = *crypto::Ed25519Signer::from_seed(SecretText::random(32).reveal());
  };

  Operation operation(const std::string& type, Id tenant, const Key& signer, std::map<std::string, std::string> arguments = {}) {
    return {type, tenant, std::move(arguments), signer.id, clock.now(), Id::random()};
  }
  Operation add_person(const Key& person, const std::string& role, Id tenant, const Key& signer) {
    return operation("person.add", tenant, signer,
                     {{"person", person.id.text()}, {"public_key", to_base64(person.signer.public_key())}, {"role", role}});
  }
  // As brokerd does it.
  Status carry_out_add(const Operation& wanted, const Key& signer) {
    ASSIGN_OR_RETURN(const Operation verified, people->verify(sign(wanted, signer.signer), soon()));
    ASSIGN_OR_RETURN(const Person person, People::person_of(verified));
    return people->add(person, soon());
  }

  std::filesystem::path folder;
  ManualClock clock;
  std::unique_ptr<records::Records> records;
  std::unique_ptr<People> people;
  Key root;
};

TEST_F(PeopleTest, the_first_operator_needs_nobody_else_and_the_second_does) {
  EXPECT_TRUE(carry_out_add(add_person(root, "operator", region_tenant(), root), root));
  const Key stranger;
  EXPECT_EQ(carry_out_add(add_person(stranger, "operator", region_tenant(), stranger), stranger).error().kind, ErrorKind::denied);
  EXPECT_TRUE(carry_out_add(add_person(stranger, "operator", region_tenant(), root), root));
  EXPECT_EQ(people->list(soon())->size(), 2U);
}

TEST_F(PeopleTest, an_administrator_acts_for_the_own_tenant_only) {
  ASSERT_TRUE(carry_out_add(add_person(root, "operator", region_tenant(), root), root));
  const Id tenant = Id::random();
  const Key administrator;
  ASSERT_TRUE(carry_out_add(add_person(administrator, "administrator", tenant, root), root));
  EXPECT_TRUE(people->verify(sign(operation("route.set", tenant, administrator), administrator.signer), soon()));
  EXPECT_FALSE(people->verify(sign(operation("route.set", Id::random(), administrator), administrator.signer), soon()));
  EXPECT_FALSE(people->verify(sign(operation("route.set", region_tenant(), administrator), administrator.signer), soon()));
  EXPECT_FALSE(people->verify(sign(add_person(Key(), "administrator", tenant, administrator), administrator.signer), soon()));
}

TEST_F(PeopleTest, an_operation_counts_once_and_only_while_it_is_fresh) {
  ASSERT_TRUE(carry_out_add(add_person(root, "operator", region_tenant(), root), root));
  const SignedOperation once = sign(operation("route.set", Id::random(), root), root.signer);
  EXPECT_TRUE(people->verify(once, soon()));
  EXPECT_EQ(people->verify(once, soon()).error().detail, "the operation was used before");
  const SignedOperation late = sign(operation("route.set", Id::random(), root), root.signer);
  clock.advance(operation_life + 1);
  EXPECT_EQ(people->verify(late, soon()).error().kind, ErrorKind::denied);
  EXPECT_FALSE(people->verify(once, soon()));
}

TEST_F(PeopleTest, no_byte_of_an_operation_can_be_changed) {
  ASSERT_TRUE(carry_out_add(add_person(root, "operator", region_tenant(), root), root));
  const SignedOperation good = sign(operation("route.set", Id::random(), root, {{"host", "mx.example"}}), root.signer);
  for (std::size_t i = 0; i < good.bytes.size(); ++i) {
    SignedOperation changed = good;
    changed.bytes[i] = static_cast<char>(changed.bytes[i] ^ 1);
    EXPECT_FALSE(people->verify(changed, soon())) << i;
  }
  for (std::size_t i = 0; i < good.signature.size(); ++i) {
    SignedOperation changed = good;
    changed.signature[i] = static_cast<char>(changed.signature[i] ^ 1);
    EXPECT_FALSE(people->verify(changed, soon())) << i;
  }
  EXPECT_TRUE(people->verify(good, soon()));
}

TEST_F(PeopleTest, the_last_operator_stays) {
  ASSERT_TRUE(carry_out_add(add_person(root, "operator", region_tenant(), root), root));
  EXPECT_EQ(people->remove(root.id, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(people->list(soon())->size(), 1U);
  EXPECT_EQ(people->remove(Id::random(), soon()).error().kind, ErrorKind::not_found);
}

Route sound_route() {
  Route route;
  route.id = Id::random();
  route.tenant = Id::random();
  route.kind = RouteKind::relay;
  route.host = "mx.example";
  route.tls = RouteTls::required;
  route.ca_file = "system";
  return route;
}

TEST(Route, widening_is_seen) {
  const Route before = sound_route();
  const auto widens_with = [&](auto change) {
    Route after = before;
    change(after);
    return widens(&before, after);
  };
  EXPECT_TRUE(widens(nullptr, before));
  EXPECT_FALSE(widens_with([](Route&) {}));
  EXPECT_TRUE(widens_with([](Route& route) { route.host = "other.example"; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.port = 2525; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.kind = RouteKind::smtp_auth; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.kind = RouteKind::mx, route.host = ""; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.name = "other.example"; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.ca_file = "-----BEGIN"; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.tls = RouteTls::opportunistic; }));
  EXPECT_TRUE(widens_with([](Route& route) { route.pins = {std::string(64, 'a')}; }));
  EXPECT_FALSE(widens_with([](Route& route) { route.paused = true; }));
  EXPECT_FALSE(widens_with([](Route& route) { route.concurrency = 9; }));
  EXPECT_FALSE(widens_with([](Route& route) { route.failover = Id::random(); }));
}

TEST(Route, pins_may_only_become_fewer) {
  Route before = sound_route();
  before.pins = {std::string(64, 'a'), std::string(64, 'b')};
  const auto widens_with = [&](std::vector<std::string> pins) {
    Route after = before;
    after.pins = std::move(pins);
    return widens(&before, after);
  };
  EXPECT_FALSE(widens_with({std::string(64, 'b')}));
  EXPECT_TRUE(widens_with({std::string(64, 'b'), std::string(64, 'c')}));
  EXPECT_TRUE(widens_with({}));
  Route unverified = sound_route();
  unverified.tls = RouteTls::opportunistic;
  unverified.ca_file = "";
  Route verified = unverified;
  verified.ca_file = "system";
  EXPECT_FALSE(widens(&unverified, verified));
  EXPECT_TRUE(widens(&verified, unverified));
}

TEST(Operation, comes_back_as_written_and_in_one_form_only) {
  const Operation operation{"route.set", Id::random(), {{"host", "h"}, {"port", "25"}}, Id::random(), 12345, Id::random()};
  const auto back = parse_operation(encode(operation));
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(operation));
  EXPECT_EQ(*back->argument("host"), "h");
  EXPECT_EQ(back->argument("user").error().detail, "route.set needs user");
  EXPECT_FALSE(parse_operation(encode(operation) + "x"));
  EXPECT_FALSE(parse_operation(""));
}

}  // namespace
}  // namespace mailhold::access
