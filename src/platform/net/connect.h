// Connecting to a numeric address. Names are resolved by platform/dns, never here.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::net {

// A connected TCP socket, non-blocking and close-on-exec, which the caller owns; TCP_NODELAY is set.
// `from`, if given, is the numeric address we come from.
// invalid_input: not a numeric IPv4 or IPv6 address, or `from` is not ours. unavailable: refused or unreachable. timed_out,
// cancelled.
Result<int> connect_tcp(std::string_view ip, std::uint16_t port, const Deadline& deadline, std::string_view from = {});

}  // namespace mailhold::net
