#include "core/api/api_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "core/api/api_messages.h"

namespace mailhold::api {

Result<ApiClient> ApiClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error{ErrorKind::invalid_input, path + " is too long for a socket"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ipc::OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return Error{ErrorKind::unavailable,
                 path + ": " + std::strerror(errno) + "; is `mailhold up` running, and are you allowed to open its socket?"};
  }
  return ApiClient(std::move(socket));
}

Result<std::string> ApiClient::ask(std::string_view json, std::span<const int> fds, const Deadline& deadline) {
  RETURN_IF_ERROR(channel_->send(json, fds, deadline));
  ASSIGN_OR_RETURN(const ipc::Frame reply, channel_->receive(deadline));
  return parse_reply(reply.bytes);
}

}  // namespace mailhold::api
