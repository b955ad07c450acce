#include "core/api/api_server.h"

#include <sys/socket.h>

#include "base/log.h"
#include "core/api/api_messages.h"
#include "platform/net/wait.h"

namespace mailhold::api {
namespace {

using namespace std::chrono_literals;

constexpr auto idle_time = 300s;
constexpr auto request_time = 120s;

}  // namespace

struct ApiServer::Connection {
  explicit Connection(ipc::OwnedFd socket) : channel(std::move(socket)) {}
  ipc::Channel channel;
  std::atomic<bool> over = false;
  std::jthread thread;
};

ApiServer::ApiServer(Answer answer) : answer_(std::move(answer)) {}
ApiServer::~ApiServer() = default;

void ApiServer::run(ipc::OwnedFd listener, const std::stop_token& stop) {
  const Deadline forever{std::chrono::steady_clock::now() + 24h * 365, stop};
  while (net::wait_until(listener.get(), net::Ready::to_read, forever)) {
    ipc::OwnedFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.is_open()) continue;
    connections_.remove_if([](const auto& each) { return each->over.load(); });
    if (connections_.size() >= connections_max) {
      ipc::Channel busy(std::move(socket));
      (void)busy.send(encode_reply(Error{ErrorKind::limit_exceeded, "too many connections to the API socket"}),
                      Deadline::after(1s));
      continue;
    }
    auto& connection = *connections_.emplace_back(std::make_unique<Connection>(std::move(socket)));
    connection.thread = std::jthread([this, &connection, stop] { serve(connection, stop); });
  }
  for (const auto& connection : connections_) connection->channel.close();
  connections_.clear();
}

void ApiServer::serve(Connection& connection, const std::stop_token& stop) {
  for (;;) {
    auto frame = connection.channel.receive(Deadline::after(idle_time, stop));
    if (!frame) break;
    Request request{std::move(frame->bytes), std::move(frame->fds)};
    Result<std::string> answer = Error{ErrorKind::limit_exceeded, "the request is too large"};
    if (request.json.size() <= request_bytes_max) {
      // The last catch of a request: an exception of a library must not end the process.
      try {
        answer = answer_(request, Deadline::after(request_time, stop));
      } catch (const std::exception& exception) {
        log_error("api", std::string("a request ended in an exception: ") + exception.what());
        answer = Error{ErrorKind::bug, "internal error"};
      }
    }
    if (!connection.channel.send(encode_reply(answer), Deadline::after(60s, stop))) break;
  }
  connection.over = true;
}

}  // namespace mailhold::api
