#include "platform/dns/resolver_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "platform/dns/answer_cache.h"
#include "platform/dns/record_decoding.h"
#include "platform/dns/resolver_messages.h"
#include "platform/dns/resolver_service.h"

namespace mailhold::dns {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(5s); }

// A peer behind a socket pair.
struct Peer {
  explicit Peer(ipc::Handler handler) : client(std::make_shared<ipc::Client>("resolverd")) {
    auto sockets = ipc::Channel::socket_pair();
    client->connect(std::move(sockets->first));
    auto channel = std::make_shared<ipc::Channel>(std::move(sockets->second));
    thread = std::jthread(
        [channel, handler](const std::stop_token& stop) { ipc::serve_channel(channel, "gatewayd-in", handler, stop); });
  }
  std::shared_ptr<ipc::Client> client;
  std::jthread thread;
};

struct CountingResolverd {
  std::atomic<int> requests = 0;
  std::atomic<std::size_t> questions = 0;
  Answer answer{.status = AnswerStatus::ok, .ttl_seconds = 60, .records = {{"text", 0}}};
  Peer peer{[this](const std::shared_ptr<ipc::Call>& call) {
    const auto request = parse_request(call->body());
    if (!request) return call->fail(request.error());
    ++requests;
    questions += request->questions.size();
    call->reply(encode(std::vector<Answer>(request->questions.size(), answer)));
  }};
};

TEST(ResolverClient, asks_a_batch_in_one_request_and_known_questions_not_at_all) {
  CountingResolverd resolverd;
  ManualClock clock(1'000'000);
  ResolverClient client(resolverd.peer.client, clock);
  const Question questions[] = {{"a.example", RecordType::txt}, {"B.example.", RecordType::txt}, {"bad..name", RecordType::txt}};
  const auto answers = client.resolve_all(questions, soon());
  EXPECT_EQ(answers[0].records.at(0).value, "text");
  EXPECT_EQ(answers[1].status, AnswerStatus::ok);
  EXPECT_EQ(answers[2].status, AnswerStatus::nxdomain);
  EXPECT_EQ(resolverd.requests, 1);
  EXPECT_EQ(resolverd.questions, 2u);
  clock.advance(59'000);
  EXPECT_EQ(client.resolve({"b.EXAMPLE", RecordType::txt}, soon()).ttl_seconds, 1u);
  EXPECT_EQ(resolverd.requests, 1);
  clock.advance(1'001);
  (void)client.resolve({"b.example", RecordType::txt}, soon());
  EXPECT_EQ(resolverd.requests, 2);
}

TEST(ResolverClient, splits_what_is_too_much_for_one_request) {
  CountingResolverd resolverd;
  ManualClock clock(0);
  ResolverClient client(resolverd.peer.client, clock);
  std::vector<Question> questions;
  for (int index = 0; index < 150; ++index) questions.push_back({"n" + std::to_string(index) + ".example", RecordType::a});
  for (const Answer& answer : client.resolve_all(questions, soon())) EXPECT_EQ(answer.status, AnswerStatus::ok);
  EXPECT_EQ(resolverd.requests, 3);
}

TEST(ResolverClient, answers_servfail_while_resolverd_is_away_and_keeps_nothing_of_it) {
  ManualClock clock(0);
  const auto away = std::make_shared<ipc::Client>("resolverd");
  ResolverClient client(away, clock);
  EXPECT_EQ(client.resolve({"a.example", RecordType::a}, soon()).status, AnswerStatus::servfail);
  CountingResolverd resolverd;
  ResolverClient other(resolverd.peer.client, clock);
  EXPECT_EQ(other.resolve({"a.example", RecordType::a}, Deadline::after(0ms)).status, AnswerStatus::timeout);
  EXPECT_EQ(other.resolve({"a.example", RecordType::a}, soon()).status, AnswerStatus::ok);
}

TEST(ResolverClient, an_answer_that_breaks_the_limits_is_servfail) {
  CountingResolverd resolverd;
  resolverd.answer.records.assign(records_max + 1, Record{"x", 0});
  ManualClock clock(0);
  ResolverClient client(resolverd.peer.client, clock);
  EXPECT_EQ(client.resolve({"a.example", RecordType::txt}, soon()).status, AnswerStatus::servfail);
}

TEST(ResolverService, answers_over_the_channel_and_refuses_hostile_requests) {
  UnboundSettings settings;
  settings.resolv_conf.clear();
  settings.local_records = {"example.test 300 IN TXT \"v=spf1 -all\"", "example.test 300 IN MX 10 mx.example.test"};
  const auto resolver = UnboundResolver::create(std::move(settings)).value();
  ResolverService service(*resolver);
  Peer peer([&](const std::shared_ptr<ipc::Call>& call) { service.handle(call); });
  ResolverClient client(peer.client, system_clock());
  const Question questions[] = {{"example.test", RecordType::txt}, {"example.test", RecordType::mx}};
  const auto answers = client.resolve_all(questions, soon());
  EXPECT_EQ(answers[0].records.at(0).value, "v=spf1 -all");
  EXPECT_EQ(answers[1].records.at(0), (Record{"mx.example.test", 10}));

  const auto refused = [&](const ResolveRequest& request) {
    return peer.client->call(method_resolve, encode(request), soon()).error().kind;
  };
  EXPECT_EQ(refused({1000ms, {{std::string(254, 'a'), RecordType::a}}}), ErrorKind::invalid_input);
  EXPECT_EQ(refused({1000ms, {{"a\n.example", RecordType::a}}}), ErrorKind::invalid_input);
  EXPECT_EQ(refused({1000ms, {{"UPPER.example", RecordType::a}}}), ErrorKind::invalid_input);
  EXPECT_EQ(refused({1000ms, {{"a.example", static_cast<RecordType>(252)}}}), ErrorKind::invalid_input);  // AXFR
  EXPECT_EQ(refused({1000ms, {}}), ErrorKind::invalid_input);
  EXPECT_EQ(refused({1000ms, std::vector<Question>(65, {"a.example", RecordType::a})}), ErrorKind::invalid_input);
  EXPECT_EQ(peer.client->call(99, "", soon()).error().kind, ErrorKind::unsupported);
}

TEST(AnswerCache, keeps_the_most_recently_used_within_its_bound) {
  ManualClock clock(0);
  AnswerCache cache(3, clock);
  const auto question = [](int number) { return Question{"n" + std::to_string(number) + ".example", RecordType::a}; };
  for (int number = 0; number < 3; ++number) cache.keep(question(number), {.status = AnswerStatus::nxdomain, .ttl_seconds = 60});
  EXPECT_TRUE(cache.find(question(0)));
  cache.keep(question(3), {.status = AnswerStatus::nxdomain, .ttl_seconds = 60});
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_TRUE(cache.find(question(0)));
  EXPECT_FALSE(cache.find(question(1)));
}

TEST(AnswerCache, bounds_how_long_an_answer_is_kept) {
  ManualClock clock(0);
  AnswerCache cache(10, clock);
  const Question question{"a.example", RecordType::a};
  const auto kept_seconds = [&](const Answer& answer) {
    cache.keep(question, answer);
    return cache.find(question)->ttl_seconds;
  };
  EXPECT_EQ(kept_seconds({.status = AnswerStatus::ok, .ttl_seconds = 1'000'000, .records = {{"x", 0}}}), 3600u);
  EXPECT_EQ(kept_seconds({.status = AnswerStatus::nodata, .ttl_seconds = 1'000'000}), 300u);
  EXPECT_EQ(kept_seconds({.status = AnswerStatus::servfail}), 10u);
  clock.advance(20'000);
  EXPECT_FALSE(cache.find(question));
  cache.keep(question, {.status = AnswerStatus::nxdomain, .ttl_seconds = 0});
  EXPECT_FALSE(cache.find(question));
}

TEST(RecordDecoding, refuses_malformed_data) {
  EXPECT_EQ(decode_record(RecordType::ptr, std::string_view("\1a\4TEST\0", 8))->value, "a.test");
  EXPECT_EQ(decode_record(RecordType::txt, std::string_view("\1a\0\2bc", 6))->value, "abc");
  EXPECT_FALSE(decode_record(RecordType::a, "123"));
  EXPECT_FALSE(decode_record(RecordType::txt, "\5abc"));
  EXPECT_FALSE(decode_record(RecordType::ptr, std::string_view("\0", 1)));        // the root
  EXPECT_FALSE(decode_record(RecordType::ptr, std::string_view("\3a.b\0", 5)));   // a dot inside a label
  EXPECT_FALSE(decode_record(RecordType::ptr, std::string_view("\300\014", 2)));  // a pointer
  EXPECT_FALSE(decode_record(RecordType::ptr, std::string_view("\1a\0x", 4)));    // bytes behind it
  EXPECT_FALSE(decode_record(RecordType::mx, std::string_view("\0\1\1\n\0", 5)));
}

}  // namespace
}  // namespace mailhold::dns
