// ApiClient: asks apid over its local socket. One thread at a time.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/deadline.h"
#include "platform/ipc/channel.h"

namespace mailhold::api {

class ApiClient {
 public:
  // unavailable names the path: nothing listens there, or we may not.
  static Result<ApiClient> connect(const std::string& path);

  // The JSON of the answer, or the error it answered with.
  Result<std::string> ask(std::string_view json, std::span<const int> fds, const Deadline& deadline);
  Result<std::string> ask(std::string_view json, const Deadline& deadline) { return ask(json, {}, deadline); }

 private:
  explicit ApiClient(ipc::OwnedFd socket) : channel_(std::make_unique<ipc::Channel>(std::move(socket))) {}
  std::unique_ptr<ipc::Channel> channel_;
};

}  // namespace mailhold::api
