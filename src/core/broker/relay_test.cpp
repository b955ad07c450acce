#include "core/broker/relay.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <thread>

#include "base/random.h"

namespace mailhold::broker {
namespace {

Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

// Passes all of both sides.
class OpenFilter final : public SessionFilter {
 public:
  Status from_worker(std::string_view bytes) override {
    for_server_ += bytes;
    return done();
  }
  Result<bool> from_server(std::string_view bytes, SessionMeter&) override {
    for_worker_ += bytes;
    return true;
  }
  std::string take_for_server() override { return std::exchange(for_server_, {}); }
  void take_for_worker(std::string& bytes) override {
    bytes.clear();
    bytes.swap(for_worker_);
  }
  std::uint64_t refused() const override { return 0; }

 private:
  std::string for_server_, for_worker_;
};

class RelayTest : public testing::Test {
 protected:
  struct Pair {
    Pair() {
      int sockets[2];
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
      near = ipc::OwnedFd(sockets[0]);
      far = ipc::OwnedFd(sockets[1]);
    }
    ipc::OwnedFd near, far;
  };
  RelayTest() {
    worker_end = net::stream_over(worker.near.release());
    server_end = net::stream_over(server.near.release());
    running = std::jthread([this] {
      const int socket = server.far.get();
      const auto stream = net::stream_over(server.far.release());
      SessionMeter counted(std::move(meter.far));
      ended = relay(std::move(worker.far), *stream, socket, filter, counted, {}, soon());
    });
  }
  static std::string read(net::Stream& stream, std::size_t count) {
    std::string bytes;
    while (bytes.size() < count) {
      const auto more = stream.read_some(soon());
      if (!more || more->empty()) break;
      bytes += *more;
    }
    return bytes;
  }

  Pair worker, server, meter;
  OpenFilter filter;
  std::unique_ptr<net::Stream> worker_end, server_end;
  std::string ended;
  std::jthread running;
};

TEST_F(RelayTest, passes_a_flow_of_records_and_the_small_answers_between_without_waiting_for_more) {
  for (int turn = 0; turn < 20; ++turn) {
    const std::string mail = random_bytes(100'000);
    std::jthread writer([&] {
      for (std::size_t at = 0; at < mail.size(); at += 4096)
        ASSERT_TRUE(server_end->write_all(std::string_view(mail).substr(at, 4096), soon()));
    });
    ASSERT_EQ(read(*worker_end, mail.size()), mail);
    // Nothing more comes until the worker has spoken, and been answered with a word.
    ASSERT_TRUE(worker_end->write_all("next\r\n", soon()));
    ASSERT_EQ(read(*server_end, 6), "next\r\n");
    ASSERT_TRUE(server_end->write_all("OK\r\n", soon()));
    ASSERT_EQ(read(*worker_end, 4), "OK\r\n");
  }
  worker_end.reset();
  running.join();
  EXPECT_EQ(ended, "closed by the worker");
}

TEST_F(RelayTest, gives_the_worker_all_before_it_says_that_the_server_has_closed) {
  const std::string mail = random_bytes(1'000'000);
  std::jthread writer([&] {
    EXPECT_TRUE(server_end->write_all(mail, soon()));
    server_end.reset();
  });
  EXPECT_EQ(read(*worker_end, mail.size() + 1), mail);
  running.join();
  EXPECT_EQ(ended, "closed by the server");
}

TEST_F(RelayTest, ends_when_brokerd_is_gone_also_while_mail_flows_on) {
  std::jthread writer([&] {
    const std::string mail(50'000, 'm');
    while (server_end->write_all(mail, soon())) continue;
  });
  std::promise<void> flows;
  std::jthread reader([&] {
    read(*worker_end, 1'000'000);
    flows.set_value();
    while (!read(*worker_end, 1000).empty()) continue;
  });
  flows.get_future().wait();
  meter.near = {};
  running.join();
  EXPECT_EQ(ended, "brokerd is gone");
}

}  // namespace
}  // namespace mailhold::broker
