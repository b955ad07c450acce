#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/bytes.h"
#include "platform/ipc/client.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/server.h"

namespace mailhold::ipc {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(5s); }

struct Pair {
  Pair() {
    auto sockets = Channel::socket_pair();
    left = std::make_shared<Channel>(std::move(sockets->first));
    right = std::make_shared<Channel>(std::move(sockets->second));
  }
  std::shared_ptr<Channel> left, right;
};

TEST(Channel, carries_bytes_and_descriptors) {
  Pair pair;
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  OwnedFd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  const int fds[] = {write_end.get()};
  ASSERT_TRUE(pair.left->send("hello", fds, soon()));
  ASSERT_TRUE(pair.left->send("", soon()));
  auto frame = pair.right->receive(soon());
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->bytes, "hello");
  ASSERT_EQ(frame->fds.size(), 1U);
  ASSERT_EQ(::write(frame->fds[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
  EXPECT_EQ(pair.right->receive(soon())->bytes, "");
}

TEST(Channel, carries_a_large_frame_while_the_other_side_reads) {
  Pair pair;
  const std::string large(5 << 20, 'm');
  std::jthread sender([&] { EXPECT_TRUE(pair.left->send(large, soon())); });
  auto frame = pair.right->receive(soon());
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->bytes, large);
}

TEST(Channel, a_frame_that_claims_too_much_closes_it) {
  Pair pair;
  ASSERT_EQ(::send(pair.left->descriptor(), "\xff\xff\xff\xff\0", 5, 0), 5);
  EXPECT_EQ(pair.right->receive(soon()).error().kind, ErrorKind::limit_exceeded);
  EXPECT_FALSE(pair.right->receive(soon()));
}

TEST(Channel, a_peer_that_leaves_in_mid_frame_is_unavailable) {
  Pair pair;
  ASSERT_EQ(::send(pair.left->descriptor(), "\0\0\0\x09\0abc", 8, 0), 8);
  pair.left->close();
  EXPECT_EQ(pair.right->receive(soon()).error().kind, ErrorKind::unavailable);
}

struct Service {
  explicit Service(Handler handler, Replies replies = Replies::by_thread) : client("service", replies) {
    auto sockets = Channel::socket_pair();
    client.connect(std::move(sockets->first));
    auto channel = std::make_shared<Channel>(std::move(sockets->second));
    thread = std::jthread([channel, handler](const std::stop_token& stop) { serve_channel(channel, "tester", handler, stop); });
  }
  Client client;
  std::jthread thread;
};

TEST(Client, gets_the_answer_or_the_error) {
  Service service([](const std::shared_ptr<Call>& call) {
    EXPECT_EQ(call->peer, "tester");
    if (call->method() == 7) return call->reply("re: " + std::string(call->body()));
    call->fail(Error{ErrorKind::denied, "not you"});
  });
  EXPECT_EQ(service.client.call(7, "x", soon())->bytes, "re: x");
  const auto refused = service.client.call(8, "", soon());
  EXPECT_EQ(refused.error().kind, ErrorKind::denied);
  EXPECT_EQ(refused.error().detail, "service: not you");
}

TEST(Client, many_calls_are_under_way_at_once_and_answered_in_any_order) {
  std::mutex mutex;
  std::vector<std::shared_ptr<Call>> kept;
  Service service([&](const std::shared_ptr<Call>& call) {
    const std::lock_guard lock(mutex);
    kept.push_back(call);
    if (kept.size() < 16) return;
    for (auto late = kept.rbegin(); late != kept.rend(); ++late) (*late)->reply((*late)->body());
    kept.clear();
  });
  std::vector<std::jthread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back(
        [&service, i] { EXPECT_EQ(service.client.call(1, std::to_string(i), soon())->bytes, std::to_string(i)); });
  }
}

TEST(Client, a_call_dropped_without_an_answer_fails_as_a_bug) {
  Service service([](const std::shared_ptr<Call>&) {});
  EXPECT_EQ(service.client.call(1, "", soon()).error().kind, ErrorKind::bug);
}

TEST(Client, is_unavailable_between_two_lives_of_the_peer) {
  Client client("keyd");
  EXPECT_EQ(client.call(1, "", soon()).error().kind, ErrorKind::unavailable);
  auto first = Channel::socket_pair();
  client.connect(std::move(first->first));
  first->second.reset();
  EXPECT_EQ(client.call(1, "", soon()).error().kind, ErrorKind::unavailable);
  auto second = Channel::socket_pair();
  client.connect(std::move(second->first));
  auto channel = std::make_shared<Channel>(std::move(second->second));
  std::jthread server([channel](const std::stop_token& stop) {
    serve_channel(channel, "tester", [](const std::shared_ptr<Call>& call) { call->reply("back"); }, stop);
  });
  EXPECT_EQ(client.call(1, "", soon())->bytes, "back");
}

TEST(Client, gives_up_at_the_deadline) {
  std::vector<std::shared_ptr<Call>> kept;
  Service service([&](const std::shared_ptr<Call>& call) { kept.push_back(call); });
  EXPECT_EQ(service.client.call(1, "", Deadline::after(30ms)).error().kind, ErrorKind::timed_out);
}

TEST(Client, without_a_thread_of_its_own_it_gets_answers_errors_and_the_end) {
  std::vector<std::shared_ptr<Call>> late;
  Service service(
      [&](const std::shared_ptr<Call>& call) {
        if (call->method() == 9) return late.push_back(call);
        for (const auto& each : late) each->reply("too late");  // nobody waits for these any more
        late.clear();
        if (call->method() == 7) return call->reply("re: " + std::string(call->body()));
        call->fail(Error{ErrorKind::denied, "not you"});
      },
      Replies::by_caller);
  EXPECT_EQ(service.client.call(9, "", Deadline::after(30ms)).error().kind, ErrorKind::timed_out);
  EXPECT_EQ(service.client.call(7, "x", soon())->bytes, "re: x");
  EXPECT_EQ(service.client.call(8, "", soon()).error().detail, "service: not you");
  service.thread.request_stop();
  service.thread.join();
  Client gone("service", Replies::by_caller);
  EXPECT_EQ(gone.call(7, "", soon()).error().kind, ErrorKind::unavailable);
  auto ends = Channel::socket_pair();
  gone.connect(std::move(ends->first));
  ends->second.reset();
  EXPECT_EQ(gone.call(7, "", soon()).error().kind, ErrorKind::unavailable);
}

TEST(StartMessage, comes_back_as_written) {
  const StartMessage message{{{"gateway.size_max", "10"}}, {{"spool", "/s"}}, {"smtp"}};
  const auto back = StartMessage::parse(message.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->settings, message.settings);
  EXPECT_EQ(back->directories, message.directories);
  EXPECT_EQ(back->listeners, message.listeners);
  EXPECT_FALSE(StartMessage::parse("\x01xx"));
}

}  // namespace
}  // namespace mailhold::ipc
