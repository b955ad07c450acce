// OpenedKeys: clients' keys that signed within the last minute, ready to sign again. Making one from its numbers, and the numbers
// of its blinding, costs twice what a signature does. Keeping one gives nobody the right to it: each use still needs a receipt,
// the row in the keystore and the policy, and a key is found only for exactly the sealed bytes and the policy it was opened with.
// One thread at a time: KeyService holds the lock.
//
// Design: docs/decisions/opened-keys.md
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "core/keys/keystore.h"
#include "core/keys/use_templates.h"

namespace mailhold::keys {

class OpenedKeys {
 public:
  static constexpr std::size_t count_max = 64;
  static constexpr Milliseconds life = 60'000;  // from its opening, however often it is used

  // Null: there is none, or the row, the key above it or the policy is another. What is in use elsewhere ends with that use.
  std::shared_ptr<const ClientSigner> find(const SecretRow& row, std::string_view policy_hash, Milliseconds now);
  void keep(const SecretRow& row, std::string_view policy_hash, std::shared_ptr<const ClientSigner> signer, Milliseconds now);
  void forget(Id tenant, Id connection);
  void forget_tenant(Id tenant);
  void forget_expired(Milliseconds now);
  void forget_all() { entries_.clear(); }
  std::size_t count() const { return entries_.size(); }

 private:
  struct Entry {
    Id tenant;
    Id connection;
    std::string sealed;
    std::string sealed_key;
    std::string policy_hash;
    Milliseconds opened_at = 0;
    std::shared_ptr<const ClientSigner> signer;
  };
  std::vector<Entry> entries_;  // the oldest first
};

}  // namespace mailhold::keys
