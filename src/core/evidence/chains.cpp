#include "core/evidence/chains.h"

#include <algorithm>

namespace mailhold::ledger {

std::string Chains::key_of(const Event& event) {
  return std::string(event.tenant.bytes()) + std::string(event.connection.bytes());
}

void Chains::link(Event& event) const {
  const auto tenant = tenants_.find(event.tenant);
  event.seq = tenant == tenants_.end() ? 1 : tenant->second.head.seq + 1;
  event.previous = tenant == tenants_.end() ? Hash() : tenant->second.head.leaf;
  event.connection_seq = 0;
  event.connection_previous = Hash();
  if (event.connection.is_none()) return;
  const auto connection = connections_.find(key_of(event));
  event.connection_seq = connection == connections_.end() ? 1 : connection->second.head.seq + 1;
  if (connection != connections_.end()) event.connection_previous = connection->second.head.leaf;
}

std::optional<Chains::Misfit> Chains::misfit(const Event& event, std::uint64_t index) const {
  Event expected = event;
  link(expected);
  if (event.seq != expected.seq) return Misfit{"number in its tenant's chain is wrong", index};
  if (event.previous != expected.previous) {
    return Misfit{"differs from what the tenant's next entry was chained to",
                  event.seq == 1 ? index : tenants_.at(event.tenant).indexes.back()};
  }
  if (event.connection_seq != expected.connection_seq) return Misfit{"number in its connection's chain is wrong", index};
  if (event.connection_previous != expected.connection_previous) {
    return Misfit{"differs from what the connection's next entry was chained to",
                  event.connection_seq == 1 ? index : connections_.at(key_of(event)).index};
  }
  return std::nullopt;
}

void Chains::advance(const Event& event, std::uint64_t index, const Hash& leaf) {
  Tenant& tenant = tenants_[event.tenant];
  tenant.head = {event.seq, leaf};
  tenant.indexes.push_back(index);
  if (!event.connection.is_none()) connections_[key_of(event)] = {{event.connection_seq, leaf}, index};
}

std::vector<TenantHead> Chains::heads() const {
  std::vector<TenantHead> heads;
  heads.reserve(tenants_.size());
  for (const auto& [id, tenant] : tenants_) heads.push_back({id, tenant.head});
  std::sort(heads.begin(), heads.end(), [](const TenantHead& a, const TenantHead& b) {
    return a.tenant.bytes() < b.tenant.bytes();  // as unsigned bytes
  });
  return heads;
}

const std::vector<std::uint64_t>* Chains::indexes_of(Id tenant) const {
  const auto found = tenants_.find(tenant);
  return found == tenants_.end() ? nullptr : &found->second.indexes;
}

tlog::Tree heads_tree(const std::vector<TenantHead>& heads) {
  tlog::Tree tree;
  for (const TenantHead& head : heads) tree.append(leaf_of_head(head.tenant, head.head));
  return tree;
}

}  // namespace mailhold::ledger
