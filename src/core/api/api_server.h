// ApiServer: answers requests on the local socket, each connection on a thread of its own, at most
// `connections_max` at once. Who may open the socket is a matter of its file's owner and mode.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "platform/ipc/channel.h"

namespace mailhold::api {

struct Request {
  std::string json;
  std::vector<ipc::OwnedFd> fds;
};

class ApiServer {
 public:
  using Answer = std::function<Result<std::string>(Request&, const Deadline&)>;
  static constexpr std::size_t connections_max = 64;

  // Called by several threads at once.
  explicit ApiServer(Answer answer);
  ~ApiServer();

  // Takes connections until the stop is asked for.
  void run(ipc::OwnedFd listener, const std::stop_token& stop);

 private:
  struct Connection;
  void serve(Connection& connection, const std::stop_token& stop);

  const Answer answer_;
  std::list<std::unique_ptr<Connection>> connections_;  // touched by run() only
};

}  // namespace mailhold::api
