#include "core/keys/opened_keys.h"

#include <algorithm>
#include <utility>

namespace mailhold::keys {

std::shared_ptr<const ClientSigner> OpenedKeys::find(const SecretRow& row, std::string_view policy_hash, Milliseconds now) {
  forget_expired(now);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&row](const Entry& entry) {
    return entry.tenant == row.tenant && entry.connection == row.connection;
  });
  if (found == entries_.end() || found->policy_hash != policy_hash) return nullptr;
  if (found->sealed != row.sealed || found->sealed_key != row.sealed_key) {
    entries_.erase(found);
    return nullptr;
  }
  return found->signer;
}

void OpenedKeys::keep(const SecretRow& row, std::string_view policy_hash, std::shared_ptr<const ClientSigner> signer,
                      Milliseconds now) {
  forget(row.tenant, row.connection);
  if (entries_.size() >= count_max) entries_.erase(entries_.begin());
  entries_.push_back({row.tenant, row.connection, row.sealed, row.sealed_key, std::string(policy_hash), now, std::move(signer)});
}

void OpenedKeys::forget(Id tenant, Id connection) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.tenant == tenant && entry.connection == connection; });
}

void OpenedKeys::forget_tenant(Id tenant) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.tenant == tenant; });
}

// A clock that was set back makes a key no younger.
void OpenedKeys::forget_expired(Milliseconds now) {
  std::erase_if(entries_, [&](const Entry& entry) { return now < entry.opened_at || now - entry.opened_at >= life; });
}

}  // namespace mailhold::keys
