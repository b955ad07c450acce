#include "platform/net/connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "platform/net/wait.h"

namespace mailhold::net {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<SocketAddress> socket_address(std::string_view ip, std::uint16_t port) {
  SocketAddress address;
  const std::string text(ip);
  auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    address.size = sizeof *four;
  } else if (::inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    address.size = sizeof *six;
  } else {
    return Error{ErrorKind::invalid_input, "not a numeric address"};
  }
  return address;
}

Status finish_connecting(int socket, const SocketAddress& address, const Deadline& deadline) {
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return done();
  if (errno != EINPROGRESS) return Error{ErrorKind::unavailable, std::strerror(errno)};
  RETURN_IF_ERROR(wait_until(socket, Ready::to_write, deadline));
  int problem = 0;
  socklen_t size = sizeof problem;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size);
  if (problem != 0) return Error{ErrorKind::unavailable, std::strerror(problem)};
  return done();
}

}  // namespace

Result<int> connect_tcp(std::string_view ip, std::uint16_t port, const Deadline& deadline, std::string_view from) {
  ASSIGN_OR_RETURN(const SocketAddress address, socket_address(ip, port));
  const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return Error{ErrorKind::unavailable, std::strerror(errno)};
  if (!from.empty()) {
    const auto source = socket_address(from, 0);
    if (!source || ::bind(socket, reinterpret_cast<const sockaddr*>(&source->storage), source->size) != 0) {
      ::close(socket);
      return Error{ErrorKind::invalid_input, "the address to come from is not ours"};
    }
  }
  if (Status connected = finish_connecting(socket, address, deadline); !connected) {
    ::close(socket);
    return std::move(connected.error()).while_doing("connecting");
  }
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

}  // namespace mailhold::net
