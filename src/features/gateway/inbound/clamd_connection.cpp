#include "features/gateway/inbound/clamd_connection.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mailhold::gateway {

// A local connect either succeeds at once or finds the backlog full; neither needs a wait.
ConnectClamd clamd_at(std::string path) {
  return [path = std::move(path)](const Deadline&) -> Result<int> {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return Error{ErrorKind::invalid_input, "scanning.clamd_socket is too long"};
    std::memcpy(address.sun_path, path.data(), path.size());
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return Error{ErrorKind::unavailable, std::strerror(errno)};
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      const Error error{ErrorKind::unavailable, "clamd: " + std::string(std::strerror(errno))};
      ::close(socket);
      return error;
    }
    return socket;
  };
}

}  // namespace mailhold::gateway
