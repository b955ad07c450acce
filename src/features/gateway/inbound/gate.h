// Gate: how many may be inside at once: sessions in all, from one address, for one tenant. Asked
// before a single byte of a client is parsed. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/id.h"

namespace mailhold::gateway {

class Gate {
 public:
  Gate(std::uint32_t connections_max, std::uint32_t per_address_max)
      : connections_max_(connections_max), per_address_max_(per_address_max) {}

  enum class Entry { granted, full, too_many_from_address, paused };
  // Granted: leave() must follow.
  Entry enter(const std::string& ip);
  void leave(const std::string& ip);

  bool enter_tenant(const Id& tenant, std::uint32_t most);  // true: leave_tenant() must follow
  void leave_tenant(const Id& tenant);

  void pause(bool paused) { paused_ = paused; }
  bool is_paused() const { return paused_; }

 private:
  const std::uint32_t connections_max_, per_address_max_;
  std::atomic<bool> paused_ = false;
  std::mutex mutex_;
  std::uint32_t connections_ = 0;  // these three guarded by mutex_
  std::unordered_map<std::string, std::uint32_t> addresses_;
  std::unordered_map<Id, std::uint32_t> tenants_;
};

// Under what an address is counted: itself, or its /64 for IPv6, which one customer of a provider owns as a whole.
std::string network_of(std::string_view ip);

}  // namespace mailhold::gateway
