// Networks: which IP addresses a process may connect to. Public addresses are always fine; private,
// loopback, link-local and other special ones only when a setting lists them (allowed_networks).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::net {

// Globally reachable by the IANA special-purpose registries: no private, loopback, link-local, shared (RFC 6598),
// documentation, benchmark, multicast or reserved address. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4)
// is judged as itself. False for text that is no numeric address.
bool is_public_address(std::string_view ip);

class Networks {
 public:
  Networks() = default;  // none
  // "127.0.0.0/8, 10.1.0.0/16, ::1/128": separated by commas or spaces; at most 64. invalid_input otherwise.
  static Result<Networks> parse(std::string_view list);

  bool contains(std::string_view ip) const;
  // May we connect there?
  bool permit(std::string_view ip) const { return is_public_address(ip) || contains(ip); }

 private:
  struct Network {
    std::string bytes;  // 4 or 16
    int prefix_bits = 0;
  };
  std::vector<Network> networks_;
};

}  // namespace mailhold::net
