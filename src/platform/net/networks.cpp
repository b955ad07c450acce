#include "platform/net/networks.h"

#include <arpa/inet.h>

#include <array>
#include <span>

#include "base/text.h"

namespace mailhold::net {
namespace {

constexpr std::size_t networks_max = 64;

// 4 or 16 bytes; empty when the text is no numeric address.
std::string address_bytes(std::string_view ip) {
  const std::string text(ip);
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return {bytes.data(), 16};
  return {};
}

bool begins_with(std::string_view address, std::string_view prefix, int prefix_bits) {
  if (address.size() != prefix.size()) return false;
  for (int bit = 0; bit < prefix_bits; bit += 8) {
    const auto index = static_cast<std::size_t>(bit / 8);
    const int bits = std::min(8, prefix_bits - bit);
    const int mask = 0xff << (8 - bits);
    if (((address[index] ^ prefix[index]) & mask) != 0) return false;
  }
  return true;
}

struct Special {
  const char* prefix;
  int bits;
};

// IANA special-purpose address registries (RFC 6890 and its updates), all that is not globally reachable.
constexpr auto special_four = std::to_array<Special>({{"0.0.0.0", 8},
                                                      {"10.0.0.0", 8},
                                                      {"100.64.0.0", 10},
                                                      {"127.0.0.0", 8},
                                                      {"169.254.0.0", 16},
                                                      {"172.16.0.0", 12},
                                                      {"192.0.0.0", 24},
                                                      {"192.0.2.0", 24},
                                                      {"192.88.99.0", 24},
                                                      {"192.168.0.0", 16},
                                                      {"198.18.0.0", 15},
                                                      {"198.51.100.0", 24},
                                                      {"203.0.113.0", 24},
                                                      {"224.0.0.0", 4},
                                                      {"240.0.0.0", 4}});
constexpr auto special_six = std::to_array<Special>({{"2001::", 23}, {"2001:db8::", 32}, {"3fff::", 20}});

bool is_special(std::string_view address, std::span<const Special> list) {
  for (const Special& special : list) {
    if (begins_with(address, address_bytes(special.prefix), special.bits)) return true;
  }
  return false;
}

// The IPv4 address that an IPv6 address leads to; empty if it is none of those.
std::string inner_address(std::string_view six) {
  if (begins_with(six, address_bytes("::ffff:0:0"), 96) || begins_with(six, address_bytes("64:ff9b::"), 96)) {
    return std::string(six.substr(12));
  }
  if (begins_with(six, address_bytes("2002::"), 16)) return std::string(six.substr(2, 4));
  return {};
}

bool is_public(std::string_view address) {
  if (address.size() == 4) return !is_special(address, special_four);
  if (address.size() != 16) return false;
  if (const std::string inner = inner_address(address); !inner.empty()) return is_public(inner);
  return begins_with(address, address_bytes("2000::"), 3) && !is_special(address, special_six);  // RFC 4291 section 2.4
}

}  // namespace

bool is_public_address(std::string_view ip) { return is_public(address_bytes(ip)); }

Result<Networks> Networks::parse(std::string_view list) {
  Networks networks;
  std::string spaced(list);
  for (char& letter : spaced)
    if (letter == ',') letter = ' ';
  for (const std::string_view item : split(spaced, ' ')) {
    if (trim(item).empty()) continue;
    const std::vector<std::string_view> halves = split(trim(item), '/');
    Network network{.bytes = address_bytes(halves[0])};
    const auto bits_max = static_cast<std::uint64_t>(network.bytes.size() * 8);
    const auto bits = halves.size() == 2 ? to_number(halves[1]) : std::optional<std::uint64_t>(bits_max);
    if (network.bytes.empty() || halves.size() > 2 || !bits || *bits > bits_max) {
      return Error{ErrorKind::invalid_input, "not a network such as 10.0.0.0/8: " + std::string(item)};
    }
    network.prefix_bits = static_cast<int>(*bits);
    networks.networks_.push_back(std::move(network));
    if (networks.networks_.size() > networks_max) return Error{ErrorKind::invalid_input, "more than 64 networks"};
  }
  return networks;
}

bool Networks::contains(std::string_view ip) const {
  const std::string address = address_bytes(ip);
  const std::string inner = address.size() == 16 ? inner_address(address) : std::string();
  for (const Network& network : networks_) {
    if (begins_with(address, network.bytes, network.prefix_bits)) return true;
    if (!inner.empty() && begins_with(inner, network.bytes, network.prefix_bits)) return true;
  }
  return false;
}

}  // namespace mailhold::net
