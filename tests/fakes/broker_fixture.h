// brokerd in the same process, for tests of what people sign and of the sessions that are opened: a ledger and records of its
// own, keyd only as what it answers. Link core_broker.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <future>

#include "base/text.h"
#include "core/broker/broker.h"
#include "core/evidence/clear_text.h"
#include "core/ledger/ledger_service.h"
#include "fakes/temporary_ledger.h"
#include "formats/sealed/box.h"
#include "platform/crypto/x25519.h"

namespace mailhold::broker {

class NoResolver final : public dns::Resolver {
 public:
  std::vector<dns::Answer> resolve_all(std::span<const dns::Question> questions, const Deadline&) override {
    return std::vector<dns::Answer>(questions.size());
  }
};

struct Somebody {
  Id id = Id::random();
  crypto::Ed25519Signer signer = *crypto::Ed25519Signer::from_seed(SecretText::random(crypto::ed25519_seed_size).reveal());
};

class BrokerFixture : public testing::Test {
 protected:
  explicit BrokerFixture(ProcessControl processes = {}, net::Networks reached = {})
      : broker_{{"eu", "mail.test", std::move(reached)},
                {*people_, *routes_, keys_, ledger_, resolver_, *approvals_, *connections_, *usage_, *keeping_, *permits_,
                 std::move(processes), clock_}} {}

  void SetUp() override {
    auto log = std::make_unique<ledger::Log>(ledger::settings_in(folder_.path()), ledger::test_signer(), clock_);
    ASSERT_TRUE(log->reopen());
    service_.use(std::move(log));
    ASSERT_TRUE(add(root_, "operator", access::region_tenant(), root_));
  }

  ledger::LedgerCall to_ledger() {
    return [this](std::uint16_t method, std::string_view body, const Deadline&) {
      std::promise<Result<std::string>> answer;
      service_.ask("brokerd", method, body, [&](Result<std::string> result) { answer.set_value(std::move(result)); });
      return answer.get_future().get();
    };
  }

  using Arguments = std::map<std::string, std::string>;
  Result<boost::json::object> apply(const std::string& type, Id tenant, Arguments arguments, const Somebody& signer,
                                    std::string_view box = {}) {
    const access::Operation operation{type, tenant, std::move(arguments), signer.id, clock_.now(), Id::random()};
    ASSIGN_OR_RETURN(const std::string answer, broker_.apply(access::sign(operation, signer.signer), box, ledger::soon()));
    return boost::json::parse(answer).as_object();
  }
  Result<boost::json::object> add(const Somebody& who, const std::string& role, Id tenant, const Somebody& signer) {
    return apply("person.add", tenant,
                 {{"person", who.id.text()}, {"public_key", to_base64(who.signer.public_key())}, {"role", role}}, signer);
  }
  Result<boost::json::object> set_route(Id route, const std::string& host, const Somebody& signer, Arguments more = {}) {
    more.insert({{"route", route.text()}, {"kind", "relay"}, {"host", host}, {"tls", "opportunistic"}});
    return apply("route.set", tenant_, std::move(more), signer);
  }
  Result<boost::json::object> approve(const boost::json::object& waiting, Id tenant, const Somebody& signer) {
    return apply("operation.approve", tenant, {{"operation", std::string(waiting.at("waits_for_second_person").as_string())}},
                 signer);
  }
  static bool waits(const Result<boost::json::object>& answer) { return answer && answer->contains("waits_for_second_person"); }
  std::string host_of(Id route) {
    const access::RouteTable table = *routes_->table(ledger::soon());
    const access::Route* found = table.route(route);
    return found == nullptr ? "" : found->host;
  }
  Id add_connection(Id tenant, std::vector<std::string> purposes, const std::string& user = "bob", bool suspended = true) {
    access::Connection connection;
    connection.id = Id::random();
    connection.tenant = tenant;
    connection.host = "imap.example.test";
    connection.port = 993;
    connection.ca = "system";
    connection.user = user;
    connection.purposes = std::move(purposes);
    connection.mailboxes = {"*"};
    connection.suspended = suspended;
    const Status set = connections_->set(connection, ledger::soon());
    EXPECT_TRUE(set) << set.error().detail;
    return connection.id;
  }
  // A restore into the mailbox's own place, which one person may sign for: the name of its permit.
  std::string allowed_restore(Id connection, Arguments more = {}) {
    more.insert({{"mailbox", Id::random().text()}, {"connection", connection.text()}, {"at", "2026-11-21T18:00:00Z"}});
    if (!more.contains("into")) more["reading"] = connection.text();
    const auto allowed = apply("restore.allow", tenant_, std::move(more), root_);
    EXPECT_TRUE(allowed) << allowed.error().detail;
    return allowed ? *from_hex(std::string(allowed->at("restore").as_string())) : "";
  }
  bool counts(const std::string& permit) { return static_cast<bool>(permits_->find(permit, ledger::soon())); }
  std::size_t people() { return people_->list(ledger::soon())->size(); }
  // How many entries of the type the tenant has in the ledger.
  std::size_t recorded(const std::string& type) {
    const auto open_box = [this](Id, std::uint32_t, std::string_view box, std::string_view context,
                                 const Deadline&) -> Result<SecretText> {
      ASSIGN_OR_RETURN(const sealed::Context place, sealed::Context::parse(context));
      return sealed::open_box(pair_.private_key.reveal(), place, box);
    };
    ledger::EntryOpener opener(open_box, "eu");
    const boost::json::value shown =
        boost::json::parse(*service_.api(R"({"verb":"ledger.show","tenant":")" + tenant_.text() + R"("})"));
    std::size_t count = 0;
    for (const boost::json::value& each : shown.at("entries").as_array()) {
      const std::string bytes = *from_base64url(each.at("entry").as_string());
      count += ledger::parse_clear_text(*opener.open(bytes, tenant_, ledger::soon()))->type == type ? 1 : 0;
    }
    return count;
  }

  ledger::TemporaryFolder folder_;
  ledger::SharedClock clock_{1'795'000'000'123};
  const Id tenant_ = Id::random();
  const Somebody root_, second_;
  const crypto::X25519KeyPair pair_ = crypto::x25519_generate();
  ledger::LedgerService service_{clock_};
  ledger::LedgerClient ledger_{to_ledger(), [this](Id, const Deadline&) { return keys::LedgerPublicKey{1, pair_.public_key}; },
                               "eu", clock_};
  Result<std::string> keyd_answers_ = Error{ErrorKind::not_found, "no keyd here"};
  keys::KeyClient keys_{
      [this](std::uint16_t, std::string_view, const Deadline&) -> Result<std::string> { return keyd_answers_; }};
  std::function<void()> when_a_key_is_asked_for_;
  const ConfigurationKey key_ = [this](Id, const Deadline&) -> Result<keys::PurposeKey> {
    if (when_a_key_is_asked_for_) when_a_key_is_asked_for_();
    return keys::PurposeKey{1, SecretText::take(std::string(32, 'k'))};
  };
  const std::unique_ptr<records::Records> records_ =
      *records::open("sqlite:" + (folder_.path() / "records.db").string(), ledger::soon());
  const std::unique_ptr<access::People> people_ = *access::People::open(*records_, clock_, ledger::soon());
  const std::unique_ptr<RouteBook> routes_ = *RouteBook::open(*records_, key_, "eu", clock_, ledger::soon());
  const std::unique_ptr<ConnectionBook> connections_ = *ConnectionBook::open(*records_, key_, "eu", clock_, ledger::soon());
  const std::unique_ptr<access::Approvals> approvals_ = *access::Approvals::open(*records_, clock_, ledger::soon());
  const std::unique_ptr<UsageBook> usage_ = *UsageBook::open(*records_, clock_, ledger::soon());
  const std::unique_ptr<KeepingBook> keeping_ = *KeepingBook::open(*records_, key_, "eu", ledger::soon());
  const std::unique_ptr<PermitBook> permits_ = *PermitBook::open(*records_, *connections_, clock_, ledger::soon());
  NoResolver resolver_;
  Broker broker_;
};

}  // namespace mailhold::broker
