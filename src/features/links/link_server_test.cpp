#include "features/links/link_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/net/listener.h"
#include "platform/net/wait.h"

namespace mailhold::links {
namespace {

using namespace std::chrono_literals;

class Socket {
 public:
  explicit Socket(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Socket() { ::close(socket_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void send(std::string_view bytes) { static_cast<void>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL)); }
  // Everything until the server closes; nothing more after `limit`.
  std::string read_all(std::chrono::milliseconds limit = 5s) {
    std::string all;
    const Deadline deadline = Deadline::after(limit);
    while (net::wait_until(socket_, net::Ready::to_read, deadline)) {
      char buffer[65536];
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) {
        closed_ = true;
        break;
      }
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }
  bool was_closed() const { return closed_; }

 private:
  int socket_;
  bool connected_ = false;
  bool closed_ = false;
};

constexpr std::string_view get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

class LinkServers : public ::testing::Test {
 protected:
  void start(LinkServerSettings settings = {}) {
    const int listener = net::listen_tcp("127.0.0.1", 0).value();
    port = net::port_of(listener);
    server = LinkServer::start(
                 listener,
                 [this](const http::Request& request, const Deadline&) {
                   ++answered;
                   return http::Response{200, {{"X-Target", request.target}}, std::string(reply_bytes, 'r')};
                 },
                 std::move(settings))
                 .value();
  }
  std::string ask(std::string_view bytes) {
    Socket socket(port);
    socket.send(bytes);
    return socket.read_all();
  }
  // Waits until the server holds this many connections.
  bool holds(std::size_t count) {
    for (int i = 0; i < 400 && server->connection_count() != count; ++i) std::this_thread::sleep_for(10ms);
    return server->connection_count() == count;
  }

  std::size_t reply_bytes = 4;
  std::atomic<int> answered = 0;
  std::uint16_t port = 0;
  std::unique_ptr<LinkServer> server;
};

TEST_F(LinkServers, answers_one_request_and_closes) {
  start();
  const std::string reply = ask(get);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
  EXPECT_NE(reply.find("X-Target: /x\r\n"), std::string::npos);
  EXPECT_TRUE(reply.ends_with("\r\n\r\nrrrr"));
  EXPECT_TRUE(ask("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("Content-Length: 4\r\nConnection: close\r\n\r\n"));
  // A second request on the same connection is not looked at.
  EXPECT_EQ(ask(std::string(get) + std::string(get)).find("HTTP/1.1", 10), std::string::npos);
  EXPECT_EQ(answered, 3);
  EXPECT_TRUE(holds(0));
}

TEST_F(LinkServers, closes_a_request_that_trickles_in) {
  LinkServerSettings settings;
  settings.request_time = 400ms;
  start(settings);
  Socket slow(port);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 12; ++i) {
    slow.send("G");  // each byte in time, the whole request never
    std::this_thread::sleep_for(100ms);
  }
  slow.read_all();
  EXPECT_TRUE(slow.was_closed());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_EQ(answered, 0);
  EXPECT_TRUE(holds(0));
}

TEST_F(LinkServers, serves_others_while_many_wait) {
  LinkServerSettings settings;
  settings.threads = 2;
  settings.address = {.requests_per_second = 1000, .requests_burst = 1000, .connections_max = 1000, .addresses_max = 100};
  start(settings);
  std::vector<std::unique_ptr<Socket>> waiting;
  for (int i = 0; i < 300; ++i) {
    waiting.push_back(std::make_unique<Socket>(port));
    waiting.back()->send("GET /x HTTP/1.1\r\n");
  }
  EXPECT_TRUE(holds(300));
  EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 200"));
  for (auto& socket : waiting) socket->send("Host: a\r\n\r\n");
  std::size_t served = 0;
  for (auto& socket : waiting) served += socket->read_all().starts_with("HTTP/1.1 200") ? 1 : 0;
  EXPECT_EQ(served, 300U);
}

TEST_F(LinkServers, a_reader_that_never_reads_holds_no_thread) {
  LinkServerSettings settings;
  settings.threads = 1;
  settings.reply_time = 600ms;
  reply_bytes = 32U << 20;
  start(settings);
  Socket lazy(port);
  lazy.send(get);
  std::this_thread::sleep_for(100ms);
  reply_bytes = 4;
  EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(holds(0));  // the lazy one is closed after its time
}

TEST_F(LinkServers, refuses_what_is_too_large_or_ambiguous) {
  start();
  EXPECT_TRUE(ask("GET /" + std::string(200'000, 'a')).starts_with("HTTP/1.1 414"));
  EXPECT_TRUE(ask("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(200'000, 'a')).starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'a'))
                  .starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(
      ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0").starts_with("HTTP/1.1 501"));
  EXPECT_TRUE(ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_EQ(answered, 0);
}

TEST_F(LinkServers, limits_what_one_address_may_ask) {
  LinkServerSettings settings;
  settings.address = {.requests_per_second = 0.001, .requests_burst = 3, .connections_max = 2, .addresses_max = 100};
  start(settings);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 429"));
  EXPECT_TRUE(holds(0));
  Socket first(port), second(port);
  EXPECT_TRUE(holds(2));
  Socket third(port);
  third.read_all();
  EXPECT_TRUE(third.was_closed());
  EXPECT_EQ(server->connection_count(), 2U);
}

TEST_F(LinkServers, counts_the_client_behind_a_trusted_terminator) {
  LinkServerSettings settings;
  settings.address = {.requests_per_second = 0.001, .requests_burst = 1, .connections_max = 1, .addresses_max = 100};
  settings.trusted_proxies = {"127.0.0.1"};
  start(settings);
  const auto ask_for = [this](const std::string& forwarded) {
    return ask("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + forwarded + "\r\n\r\n").substr(0, 12);
  };
  EXPECT_EQ(ask_for("192.0.2.1"), "HTTP/1.1 200");
  EXPECT_EQ(ask_for("192.0.2.2"), "HTTP/1.1 200");
  EXPECT_EQ(ask_for("203.0.113.9, 192.0.2.2"), "HTTP/1.1 429");  // what stands before the last entry is anybody's word
}

TEST_F(LinkServers, stops_while_clients_are_connected) {
  start();
  Socket idle(port);
  EXPECT_TRUE(holds(1));
  server->stop();
  idle.read_all();
  EXPECT_TRUE(idle.was_closed());
}

TEST(AddressLimits, forget_the_idle_and_count_networks) {
  AddressLimits limits({.requests_per_second = 1, .requests_burst = 2, .connections_max = 1, .addresses_max = 10});
  const auto now = std::chrono::steady_clock::now();
  EXPECT_TRUE(limits.take_request("2001:db8::1", now));
  EXPECT_TRUE(limits.take_request("2001:db8::2", now));
  EXPECT_FALSE(limits.take_request("2001:db8::3", now));
  EXPECT_TRUE(limits.take_request("2001:db8:0:1::1", now));
  EXPECT_TRUE(limits.take_request("2001:db8::3", now + 1s));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limits.take_request("10.0." + std::to_string(i) + ".1", now));
  EXPECT_TRUE(limits.add_connection("192.0.2.1", now));
  EXPECT_FALSE(limits.add_connection("192.0.2.1", now));
  limits.remove_connection("192.0.2.1");
  EXPECT_TRUE(limits.add_connection("192.0.2.1", now));
}

}  // namespace
}  // namespace mailhold::links
