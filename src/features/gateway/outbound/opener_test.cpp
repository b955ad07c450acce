#include "features/gateway/outbound/opener.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "core/broker/submission_messages.h"
#include "fakes/smtp_server.h"

namespace mailhold::outbound {
namespace {

using namespace std::chrono_literals;
Deadline soon() { return Deadline::after(10s); }

// DNS from a table; what is not there does not exist.
class TableResolver final : public dns::Resolver {
 public:
  std::map<std::pair<std::string, dns::RecordType>, dns::Answer> table;
  void mx(const std::string& domain, std::vector<std::pair<std::uint16_t, std::string>> hosts) {
    dns::Answer answer{.status = dns::AnswerStatus::ok};
    for (auto& [preference, host] : hosts) answer.records.push_back({host, preference});
    table[{domain, dns::RecordType::mx}] = answer;
  }
  void a(const std::string& host, const std::string& ip) {
    table[{host, dns::RecordType::a}] = {.status = dns::AnswerStatus::ok, .records = {{*dns::parse_address(ip), 0}}};
  }
  std::vector<dns::Answer> resolve_all(std::span<const dns::Question> questions, const Deadline&) override {
    std::vector<dns::Answer> answers;
    for (const dns::Question& question : questions) {
      const auto found = table.find({question.name, question.type});
      const bool is_known = table.lower_bound({question.name, dns::RecordType{0}}) != table.end() &&
                            table.lower_bound({question.name, dns::RecordType{0}})->first.first == question.name;
      answers.push_back(found != table.end()
                            ? found->second
                            : dns::Answer{.status = is_known ? dns::AnswerStatus::nodata : dns::AnswerStatus::nxdomain});
    }
    return answers;
  }
};

class OpenerTest : public testing::Test {
 protected:
  std::unique_ptr<Opener> opener(const std::string& networks = "127.0.0.0/8") {
    OutboundSettings settings;
    settings.our_name = "us.example";
    settings.allowed_networks = *net::Networks::parse(networks);
    settings.mx_port = server.port();
    return make_opener(settings, resolver, broker);
  }
  access::Route relay(access::RouteTls tls = access::RouteTls::none) {
    access::Route route;
    route.id = Id::random();
    route.tenant = Id::random();
    route.kind = access::RouteKind::relay;
    route.host = "127.0.0.1";
    route.port = server.port();
    route.tls = tls;
    return route;
  }
  access::Route mx() {
    access::Route route;
    route.id = route.tenant = Id::random();
    route.kind = access::RouteKind::mx;
    return route;
  }
  void deliver_one(Session& session) {
    const auto outcome = session.deliver({"ann@a.example", {"bob@b.example"}, {}}, "Subject: x\r\n\r\n.hello\r\n", soon());
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->recipients[0].result, smtp::RecipientResult::delivered);
  }

  fakes::SmtpServer server;
  std::shared_ptr<TableResolver> resolver = std::make_shared<TableResolver>();
  OpenThroughBroker broker;
  OpenFailure failure;
};

TEST_F(OpenerTest, delivers_to_a_fixed_next_hop) {
  const auto open = opener();
  const auto session = open->open(relay(), "", failure, soon());
  ASSERT_TRUE(session);
  deliver_one(**session);
  deliver_one(**session);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.messages().at(1).body, "Subject: x\r\n\r\n.hello\r\n");
  (*session)->close();
  EXPECT_FALSE((*session)->is_open());
}

TEST_F(OpenerTest, a_private_address_is_not_reached_unless_a_setting_lists_it) {
  const auto open = opener("10.0.0.0/8");
  EXPECT_FALSE(open->open(relay(), "", failure, soon()));
  EXPECT_FALSE(failure.permanent);
  resolver->mx("b.example", {{10, "mx.b.example"}});
  resolver->a("mx.b.example", "127.0.0.1");
  EXPECT_FALSE(open->open(mx(), "b.example", failure, soon()));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(OpenerTest, pinned_keys_are_required_and_a_wrong_one_sends_nothing) {
  server.identity = *net::TlsIdentity::self_signed("mx.b.example");
  const auto open = opener();
  access::Route wrong = relay(access::RouteTls::required);
  wrong.pins = {std::string(64, 'a')};
  EXPECT_FALSE(open->open(wrong, "", failure, soon()));
  EXPECT_NE(failure.reply.text().find("pinned"), std::string::npos) << failure.reply.text();
  access::Route by_name = relay(access::RouteTls::required);
  by_name.ca_file = "system";
  by_name.name = "mx.b.example";
  EXPECT_FALSE(open->open(by_name, "", failure, soon()));
  EXPECT_NE(failure.reply.text().find("certificate refused"), std::string::npos) << failure.reply.text();
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(OpenerTest, a_stripped_starttls_defers_where_tls_is_required) {
  const auto open = opener();
  access::Route route = relay(access::RouteTls::required);
  route.pins = {std::string(64, 'a')};
  EXPECT_FALSE(open->open(route, "", failure, soon()));
  EXPECT_FALSE(failure.permanent);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(OpenerTest, opportunistic_tls_is_used_when_offered) {
  server.identity = *net::TlsIdentity::self_signed("mx.b.example");
  std::atomic<int> greeted = 0;
  server.on_command = [&](const std::string& line) -> std::optional<std::string> {
    greeted += line.starts_with("EHLO");
    return std::nullopt;
  };
  const auto open = opener();
  const auto session = open->open(relay(access::RouteTls::opportunistic), "", failure, soon());
  ASSERT_TRUE(session);
  deliver_one(**session);
  EXPECT_EQ(greeted, 2);  // once before TLS and once in it
  EXPECT_EQ(server.count(), 1U);
}

TEST_F(OpenerTest, mail_exchangers_are_tried_in_order_of_preference) {
  resolver->mx("b.example", {{30, "third.b.example"}, {10, "first.b.example"}, {20, "second.b.example"}});
  resolver->a("second.b.example", "127.0.0.1");
  resolver->a("third.b.example", "127.0.0.1");
  const auto open = opener();
  const auto session = open->open(mx(), "b.example", failure, soon());
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->peer(), "second.b.example[127.0.0.1]:" + std::to_string(server.port()));
}

TEST_F(OpenerTest, mx_answers_decide_what_is_permanent) {
  const auto open = opener();
  resolver->mx("null.example", {{0, ""}});
  EXPECT_FALSE(open->open(mx(), "null.example", failure, soon()));
  EXPECT_TRUE(failure.permanent);
  EXPECT_EQ(failure.reply.enhanced, "5.1.10");
  EXPECT_FALSE(open->open(mx(), "no-such.example", failure, soon()));
  EXPECT_TRUE(failure.permanent);
  resolver->table[{"slow.example", dns::RecordType::mx}] = {.status = dns::AnswerStatus::servfail};
  EXPECT_FALSE(open->open(mx(), "slow.example", failure, soon()));
  EXPECT_FALSE(failure.permanent);
  resolver->a("implicit.example", "127.0.0.1");  // no MX: the domain itself
  EXPECT_TRUE(open->open(mx(), "implicit.example", failure, soon()));
  resolver->mx("loop.example", {{10, "us.example"}, {20, "other.example"}});
  EXPECT_FALSE(open->open(mx(), "loop.example", failure, soon()));
  EXPECT_EQ(failure.reply.enhanced, "5.4.6");
}

TEST_F(OpenerTest, a_server_that_refuses_the_session_is_quoted) {
  server.on_command = [](const std::string& line) -> std::optional<std::string> {
    return line == "(greeting)" ? std::optional<std::string>("554 5.7.1 go away") : std::nullopt;
  };
  EXPECT_FALSE(opener()->open(relay(), "", failure, soon()));
  EXPECT_EQ(failure.reply.code, 554);
  EXPECT_FALSE(failure.permanent);  // another host or another day may take it
}

TEST_F(OpenerTest, a_lost_connection_is_never_a_delivery) {
  const auto open = opener();
  for (const std::string when : {"MAIL", "RCPT", "DATA"}) {
    server.on_command = [&](const std::string& line) -> std::optional<std::string> {
      return line.starts_with(when) ? std::optional<std::string>(fakes::drop) : std::nullopt;
    };
    auto session = open->open(relay(), "", failure, soon());
    ASSERT_TRUE(session);
    const auto outcome = (*session)->deliver({"", {"a@b.example", "c@b.example"}, {}}, "x\r\n", soon());
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->is_untried) << when;
    EXPECT_FALSE((*session)->is_open());
    for (const auto& recipient : outcome->recipients) EXPECT_EQ(recipient.result, smtp::RecipientResult::deferred);
  }
  server.on_command = nullptr;
  server.drop_after_body_bytes = 100'000;
  auto session = open->open(relay(), "", failure, soon());
  std::string large;
  for (int i = 0; i < 100'000; ++i) large += "a line of the message\r\n";
  const auto outcome = (*session)->deliver({"", {"a@b.example"}, {}}, large, soon());
  EXPECT_EQ(outcome->recipients[0].result, smtp::RecipientResult::deferred);
  server.drop_after_body_bytes = 0;
  server.on_message = [](const fakes::ReceivedMessage&) { return std::optional<std::string>(fakes::take_and_drop); };
  session = open->open(relay(), "", failure, soon());
  const auto unknown = (*session)->deliver({"", {"a@b.example"}, {}}, "x\r\n", soon());
  EXPECT_EQ(unknown->recipients[0].result, smtp::RecipientResult::deferred);
  EXPECT_FALSE(unknown->is_untried);  // it may have arrived: not again at once
}

TEST_F(OpenerTest, a_session_through_the_broker_carries_structure_only) {
  auto ends = *ipc::Channel::socket_pair();
  auto ours = std::make_shared<ipc::Channel>(std::move(ends.first));
  ipc::Channel authd(std::move(ends.second));
  broker = [&](const Id&, const Id&, const Deadline&) -> Result<std::shared_ptr<ipc::Channel>> { return ours; };
  access::Route route = relay();
  route.kind = access::RouteKind::smtp_auth;
  std::string body_seen;
  std::jthread far([&] {
    ASSERT_TRUE(authd.send(broker::encode(broker::SubmissionOpened{}), soon()));
    const auto submit = broker::parse_submission_frame(authd.receive(soon())->bytes);
    ASSERT_TRUE(submit && std::holds_alternative<broker::Submit>(*submit));
    while (body_seen.size() < std::get<broker::Submit>(*submit).size) {
      const auto chunk = broker::parse_submission_frame(authd.receive(soon())->bytes);
      body_seen += std::get<broker::SubmissionChunk>(*chunk).bytes;
    }
    broker::SubmissionResult result;
    result.outcome.recipients = {{smtp::RecipientResult::delivered, smtp::reply(250, "2.0.0", "ok")}};
    result.session_goes_on = true;
    ASSERT_TRUE(authd.send(broker::encode(result), soon()));
    const auto close = broker::parse_submission_frame(authd.receive(soon())->bytes);
    EXPECT_TRUE(close && std::holds_alternative<broker::SubmissionClose>(*close));
  });
  const auto session = opener()->open(route, "", failure, soon());
  ASSERT_TRUE(session);
  const std::string body(3'000'000, 'x');
  const auto outcome = (*session)->deliver({"ann@a.example", {"bob@b.example"}, {}}, body, soon());
  EXPECT_EQ(outcome->recipients[0].result, smtp::RecipientResult::delivered);
  EXPECT_TRUE((*session)->is_open());
  (*session)->close();
  far.join();
  EXPECT_EQ(body_seen, body);
}

TEST_F(OpenerTest, an_authd_that_refuses_or_dies_defers) {
  for (const bool says_so : {true, false}) {
    auto ends = *ipc::Channel::socket_pair();
    auto ours = std::make_shared<ipc::Channel>(std::move(ends.first));
    ipc::Channel authd(std::move(ends.second));
    broker = [&](const Id&, const Id&, const Deadline&) -> Result<std::shared_ptr<ipc::Channel>> { return ours; };
    access::Route route = relay();
    route.kind = access::RouteKind::smtp_auth;
    if (says_so)
      ASSERT_TRUE(authd.send(broker::encode(broker::SubmissionRefused{{ErrorKind::denied, "password refused"}}), soon()));
    else
      authd.close();
    EXPECT_FALSE(opener()->open(route, "", failure, soon()));
    EXPECT_FALSE(failure.permanent);
  }
}

}  // namespace
}  // namespace mailhold::outbound
