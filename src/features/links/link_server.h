// LinkServer: answers HTTP on a listening socket. One request for each connection, then it is closed; a
// connection that waits costs no thread, and none lives longer than its time limits.
// Speaks plain HTTP: a TLS terminator stands in front of it where the internet is.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "features/links/address_limits.h"
#include "formats/http/request.h"
#include "formats/http/response.h"
#include "platform/net/parking.h"

namespace mailhold::links {

struct LinkServerSettings {
  int threads = 4;
  std::size_t connections_max = 4096;
  std::chrono::milliseconds request_time{10'000};  // from the connection to the last byte of the request
  std::chrono::milliseconds reply_time{10'000};
  std::chrono::milliseconds answer_time{5'000};  // for the decision, keyd included
  AddressLimits::Settings address;
  // Addresses of terminators in front of us: their last X-Forwarded-For entry is the client's address.
  std::vector<std::string> trusted_proxies;
};

class LinkServer {
 public:
  using Answer = std::function<http::Response(const http::Request& request, const Deadline& deadline)>;

  // Takes over the listening socket (non-blocking) and serves until stop() or the end of its life. `answer` is called on
  // the server's threads. unavailable if the kernel gives no epoll.
  static Result<std::unique_ptr<LinkServer>> start(int listener, Answer answer, LinkServerSettings settings = {});
  ~LinkServer();
  void stop();  // returns when all threads have ended
  std::size_t connection_count() const;

 private:
  struct Connection;
  enum class Next { wait_to_read, wait_to_write, close };

  LinkServer(int listener, net::Parking parking, Answer answer, LinkServerSettings settings);
  void work();
  void accept_some();
  void serve(std::uint64_t tag);
  Next step(Connection& connection);
  Next read_request(Connection& connection);
  Next write_reply(Connection& connection);
  Next drain(Connection& connection);
  void make_reply(Connection& connection);
  http::Response respond(Connection& connection);
  bool may_ask(const Connection& connection) const;
  bool is_trusted(const std::string& ip) const;
  void sweep();

  const int listener_;
  net::Parking parking_;
  const Answer answer_;
  const LinkServerSettings settings_;
  mutable AddressLimits limits_;
  std::stop_source stop_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;  // guarded by mutex_
  std::uint64_t next_tag_ = 1;                                                  // guarded by mutex_
  std::chrono::steady_clock::time_point swept_at_{};                            // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace mailhold::links
