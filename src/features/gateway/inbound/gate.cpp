#include "features/gateway/inbound/gate.h"

#include "base/dns_answer.h"

namespace mailhold::gateway {

std::string network_of(std::string_view ip) {
  const auto bytes = dns::parse_address(ip);
  if (!bytes) return std::string(ip);
  return bytes->size() == 16 ? bytes->substr(0, 8) : *bytes;
}

Gate::Entry Gate::enter(const std::string& ip) {
  if (paused_) return Entry::paused;
  const std::lock_guard lock(mutex_);
  if (connections_ >= connections_max_) return Entry::full;
  std::uint32_t& from_address = addresses_[network_of(ip)];
  if (from_address >= per_address_max_) return Entry::too_many_from_address;
  ++from_address;
  ++connections_;
  return Entry::granted;
}

void Gate::leave(const std::string& ip) {
  const std::lock_guard lock(mutex_);
  --connections_;
  const auto found = addresses_.find(network_of(ip));
  if (found != addresses_.end() && --found->second == 0) addresses_.erase(found);
}

bool Gate::enter_tenant(const Id& tenant, std::uint32_t most) {
  const std::lock_guard lock(mutex_);
  std::uint32_t& count = tenants_[tenant];
  if (count >= most) return false;
  ++count;
  return true;
}

void Gate::leave_tenant(const Id& tenant) {
  const std::lock_guard lock(mutex_);
  const auto found = tenants_.find(tenant);
  if (found != tenants_.end() && --found->second == 0) tenants_.erase(found);
}

}  // namespace mailhold::gateway
