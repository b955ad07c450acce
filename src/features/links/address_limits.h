// AddressLimits: how much one address may ask for: requests by a token bucket, connections by a
// count. An IPv6 address counts with its /64. Bounded memory: at most addresses_max are known;
// when more come at once, those without a connection are forgotten. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mailhold::links {

class AddressLimits {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Settings {
    double requests_per_second = 50;
    double requests_burst = 200;
    std::uint32_t connections_max = 64;
    std::size_t addresses_max = 50'000;
  };
  explicit AddressLimits(Settings settings) : settings_(settings) {}

  bool take_request(std::string_view ip, Time now);
  bool add_connection(std::string_view ip, Time now);  // false: too many, none was added
  void remove_connection(std::string_view ip);

 private:
  struct Use {
    double requests_left = 0;
    Time counted_at{};
    std::uint32_t connections = 0;
  };
  Use& use_of(std::string_view ip, Time now);
  double requests_left(const Use& use, Time now) const;
  void forget_idle(Time now);

  Settings settings_;
  std::mutex mutex_;
  std::unordered_map<std::string, Use> uses_;  // guarded by mutex_
};

}  // namespace mailhold::links
