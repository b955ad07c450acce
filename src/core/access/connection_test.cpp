#include "core/access/connection.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "core/access/approval.h"
#include "platform/crypto/hash.h"

namespace mailhold::access {
namespace {

std::filesystem::path new_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "mailhold-records-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}
Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

Connection sound() {
  Connection connection;
  connection.id = Id::random();
  connection.tenant = Id::random();
  connection.host = "imap.example.test";
  connection.port = 993;
  connection.ca = "system";
  connection.user = "ann";
  connection.purposes = {"backup.read"};
  connection.mailboxes = {"INBOX", "Archive/*"};
  connection.caps.items_hour = 100;
  connection.workers = {std::string(64, 'a')};
  return connection;
}

TEST(Connection, comes_back_as_it_was_and_no_other_way) {
  const Connection connection = sound();
  ASSERT_TRUE(check_connection(connection));
  const std::string bytes = write_connection(connection);
  EXPECT_EQ(*parse_connection(bytes), connection);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(parse_connection(bytes.substr(0, size)));
  EXPECT_FALSE(parse_connection(bytes + "x"));
}

TEST(Connection, what_is_unsound_is_refused) {
  const auto refused = [](auto change) {
    Connection connection = sound();
    change(connection);
    return !check_connection(connection);
  };
  EXPECT_TRUE(refused([](Connection& c) { c.ca.clear(); }));  // nothing to verify the server by
  EXPECT_TRUE(refused([](Connection& c) { c.host.clear(); }));
  EXPECT_TRUE(refused([](Connection& c) { c.host = "a b"; }));
  EXPECT_TRUE(refused([](Connection& c) { c.user = "ann\r\n"; }));
  EXPECT_TRUE(refused([](Connection& c) { c.purposes = {"everything"}; }));
  EXPECT_TRUE(refused([](Connection& c) { c.purposes.clear(); }));
  EXPECT_TRUE(refused([](Connection& c) { c.purposes = {"directory.read"}; }));
  EXPECT_TRUE(refused([](Connection& c) { c.mailboxes.clear(); }));
  EXPECT_TRUE(refused([](Connection& c) { c.verbs = {"GET /"}; }));
  EXPECT_TRUE(refused([](Connection& c) { c.pins = {"12"}; }));
  EXPECT_TRUE(refused([](Connection& c) { c.workers = {"12"}; }));
  EXPECT_TRUE(refused([](Connection& c) { c.sign_in = SignIn::assertion; }));
  EXPECT_FALSE(refused([](Connection& c) { c.sign_in = SignIn::assertion, c.token_host = "login.example.test"; }));
  EXPECT_TRUE(
      refused([](Connection& c) { c.kind = ConnectionKind::ldap, c.purposes = {"directory.read"}, c.sign_in = SignIn::bearer; }));
  EXPECT_TRUE(refused([](Connection& c) { c.token_host = "login.example.test"; }));
  EXPECT_TRUE(refused([](Connection& c) { c.kind = ConnectionKind::pop3, c.purposes = {"restore.write"}; }));
  EXPECT_TRUE(refused([](Connection& c) { c.kind = ConnectionKind::pop3, c.purposes = {"backup.prove"}; }));
  EXPECT_FALSE(
      refused([](Connection& c) { c.kind = ConnectionKind::http, c.verbs = {"GET /**"}, c.purposes = {"backup.prove"}; }));
}

TEST(Connection, T17_whatever_moves_it_changes_the_policy_of_its_secret) {
  const Connection before = sound();
  const auto moved = [&](auto change) {
    Connection after = before;
    change(after);
    return secret_policy_of(after) != secret_policy_of(before);
  };
  EXPECT_TRUE(moved([](Connection& c) { c.host = "evil.example.test"; }));
  EXPECT_TRUE(moved([](Connection& c) { c.port = 994; }));
  EXPECT_TRUE(moved([](Connection& c) { c.tls = ConnectionTls::starttls; }));
  EXPECT_TRUE(moved([](Connection& c) { c.name = "evil.example.test"; }));
  EXPECT_TRUE(moved([](Connection& c) { c.ca = "-----BEGIN CERTIFICATE-----"; }));
  EXPECT_TRUE(moved([](Connection& c) { c.pins = {std::string(64, 'b')}; }));
  EXPECT_TRUE(moved([](Connection& c) { c.user = "eve"; }));
  EXPECT_TRUE(moved([](Connection& c) { c.purposes = {"restore.write"}; }));
  EXPECT_TRUE(moved([](Connection& c) { c.token_host = "evil.example.test"; }));
  EXPECT_TRUE(moved([](Connection& c) { c.tenant = Id::random(); }));
  EXPECT_FALSE(moved([](Connection& c) { c.caps.items_hour = 5; }));
}

TEST(Connection, widening_is_seen) {
  const Connection before = sound();
  const auto wider = [&](auto change) {
    Connection after = before;
    change(after);
    return widens(&before, after);
  };
  EXPECT_TRUE(widens(nullptr, before));
  EXPECT_FALSE(wider([](Connection&) {}));
  EXPECT_TRUE(wider([](Connection& c) { c.caps.items_hour = 101; }));
  EXPECT_TRUE(wider([](Connection& c) { c.caps.items_hour = 0; }));  // none
  EXPECT_FALSE(wider([](Connection& c) { c.caps.items_hour = 99; }));
  EXPECT_FALSE(wider([](Connection& c) { c.caps.bytes_day = 1; }));
  EXPECT_TRUE(wider([](Connection& c) { c.purposes.emplace_back("journal"); }));
  EXPECT_TRUE(wider([](Connection& c) { c.mailboxes = {"*"}; }));
  EXPECT_FALSE(wider([](Connection& c) { c.mailboxes = {"INBOX"}; }));
  EXPECT_TRUE(wider([](Connection& c) { c.workers.clear(); }));
  EXPECT_TRUE(wider([](Connection& c) { c.workers.push_back(std::string(64, 'b')); }));
  EXPECT_TRUE(wider([](Connection& c) { c.host = "other.example.test"; }));
  EXPECT_FALSE(wider([](Connection& c) { c.suspended = true; }));
  Connection suspended = before;
  suspended.suspended = true;
  EXPECT_TRUE(widens(&suspended, before));
}

class ApprovalsTest : public testing::Test {
 protected:
  ~ApprovalsTest() override { std::filesystem::remove_all(folder_); }
  const std::filesystem::path folder_ = new_folder();
  std::unique_ptr<records::Records> records_ = *records::open("sqlite:" + (folder_ / "records.db").string(), soon());
  ManualClock clock_{1'000'000'000};
  std::unique_ptr<Approvals> approvals_ = *Approvals::open(*records_, clock_, soon());
  const Id tenant_ = Id::random(), first_ = Id::random(), second_ = Id::random();
  const Proposal proposal_{crypto::sha256("operation"), tenant_, first_, 1'000'000'000, "sealed"};
};

TEST_F(ApprovalsTest, another_person_takes_it_once) {
  ASSERT_TRUE(approvals_->propose(proposal_, soon()));
  EXPECT_EQ(approvals_->take(tenant_, proposal_.hash, first_, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(approvals_->take(Id::random(), proposal_.hash, second_, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(approvals_->take(tenant_, proposal_.hash, second_, soon())->sealed, "sealed");
  EXPECT_EQ(approvals_->take(tenant_, proposal_.hash, second_, soon()).error().kind, ErrorKind::not_found);
}

TEST_F(ApprovalsTest, it_waits_for_a_day) {
  ASSERT_TRUE(approvals_->propose(proposal_, soon()));
  clock_.advance(approval_life + 1);
  EXPECT_TRUE(approvals_->list(soon())->empty());
  EXPECT_EQ(approvals_->take(tenant_, proposal_.hash, second_, soon()).error().kind, ErrorKind::not_found);
}

TEST(Approval, only_one_who_may_sign_for_the_tenant_is_a_second_person) {
  Operation operation;
  operation.tenant = Id::random();
  operation.signer = Id::random();
  const Person self{operation.signer, Role::operator_, region_tenant(), "", 0};
  const Person colleague{Id::random(), Role::administrator, operation.tenant, "", 0};
  const Person stranger{Id::random(), Role::administrator, Id::random(), "", 0};
  EXPECT_FALSE(has_second_person({self, stranger}, operation));
  EXPECT_TRUE(has_second_person({self, colleague}, operation));
  EXPECT_TRUE(has_second_person({self, {Id::random(), Role::operator_, region_tenant(), "", 0}}, operation));
}

}  // namespace
}  // namespace mailhold::access
