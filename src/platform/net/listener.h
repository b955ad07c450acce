// Listening sockets and the connections they give.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::net {

// A listening TCP socket, non-blocking and close-on-exec, which the caller owns. Port 0 asks the kernel for one.
// invalid_input: not a numeric address. unavailable: taken or not allowed.
Result<int> listen_tcp(std::string_view ip, std::uint16_t port);
std::uint16_t port_of(int socket);  // the local port, 0 if it has none

struct Accepted {
  int socket = -1;  // non-blocking, close-on-exec, TCP_NODELAY; the caller owns it
  std::string ip;   // "192.0.2.1" or "2001:db8::1"; an IPv4 client on an IPv6 socket comes out as IPv4
};

// unavailable when nobody waits (or has gone already); limit_exceeded when this process may open no more descriptors.
Result<Accepted> accept_tcp(int listener);

}  // namespace mailhold::net
