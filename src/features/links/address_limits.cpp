#include "features/links/address_limits.h"

#include <arpa/inet.h>

#include <algorithm>

namespace mailhold::links {
namespace {

// The /64 of an IPv6 address: one customer's network, in which he has as many addresses as he likes.
std::string key_of(std::string_view ip) {
  in6_addr address{};
  const std::string text(ip);
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return text;
  return std::string(reinterpret_cast<const char*>(address.s6_addr), 8);
}

}  // namespace

double AddressLimits::requests_left(const Use& use, Time now) const {
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - use.counted_at).count());
  return std::min(settings_.requests_burst, use.requests_left + seconds * settings_.requests_per_second);
}

void AddressLimits::forget_idle(Time now) {
  std::erase_if(uses_, [&](const auto& entry) {
    return entry.second.connections == 0 && requests_left(entry.second, now) >= settings_.requests_burst;
  });
  // A flood from many addresses: counts of requests are given up before memory is.
  if (uses_.size() >= settings_.addresses_max)
    std::erase_if(uses_, [](const auto& entry) { return entry.second.connections == 0; });
}

AddressLimits::Use& AddressLimits::use_of(std::string_view ip, Time now) {
  std::string key = key_of(ip);
  const auto found = uses_.find(key);
  if (found != uses_.end()) {
    found->second.requests_left = requests_left(found->second, now);
    found->second.counted_at = now;
    return found->second;
  }
  if (uses_.size() >= settings_.addresses_max) forget_idle(now);
  return uses_.emplace(std::move(key), Use{settings_.requests_burst, now, 0}).first->second;
}

bool AddressLimits::take_request(std::string_view ip, Time now) {
  const std::lock_guard lock(mutex_);
  Use& use = use_of(ip, now);
  if (use.requests_left < 1) return false;
  use.requests_left -= 1;
  return true;
}

bool AddressLimits::add_connection(std::string_view ip, Time now) {
  const std::lock_guard lock(mutex_);
  Use& use = use_of(ip, now);
  if (use.connections >= settings_.connections_max) return false;
  ++use.connections;
  return true;
}

void AddressLimits::remove_connection(std::string_view ip) {
  const std::lock_guard lock(mutex_);
  const auto found = uses_.find(key_of(ip));
  if (found != uses_.end() && found->second.connections > 0) --found->second.connections;
}

}  // namespace mailhold::links
