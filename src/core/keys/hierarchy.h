// Hierarchy: the keys of an unsealed region. Makes, wraps, opens and remembers them; each key is sealed under the one
// above it, in a context rebuilt from its place in the keystore. Nothing here decides who may have a key.
// One thread at a time: KeyService holds the lock.
//
// Design: docs/formats/keystore.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/keystore.h"
#include "core/keys/secret_pages.h"
#include "formats/sealed/context.h"

namespace mailhold::keys {

// The key that wraps others, as their contexts name it.
struct WrappingKey {
  Id id;
  std::uint32_t version = 0;
  std::string_view key;  // as long as the hierarchy is not closed or asked for another key
};

class Hierarchy {
 public:
  Hierarchy(Keystore& keystore, SecretPages& pages, std::string region)
      : keystore_(keystore), pages_(pages), region_(std::move(region)) {}

  // A new root, sealed under the passphrase key, with the keys of the region below it.
  Status create(std::string_view passphrase_key, KeystoreHeader header, Milliseconds now);
  // denied if the key does not open the root; corrupt if what hangs below the root does not open.
  Status unseal(std::string_view passphrase_key, const KeystoreHeader& header);
  // denied if the key does not open the root. Changes nothing.
  Status check(std::string_view passphrase_key, const KeystoreHeader& header) const;
  void close();  // forgets all

  Status create_tenant(Id tenant, Milliseconds now);
  void forget_tenant(Id tenant);
  void forget(const KeyPlace& place);

  // The key of that place, not_found if there is none or it was destroyed. The view holds until the next call.
  Result<WrappingKey> key(const KeyPlace& place);
  Result<WrappingKey> newest(Id tenant, Slot slot);                      // of purpose keys
  Status make_next(Id tenant, Slot slot, Milliseconds now);              // one version up
  Result<WrappingKey> day_key(Id tenant, Slot slot, std::uint32_t day);  // not_found if never made
  Result<WrappingKey> make_day_key(Id tenant, Slot slot, std::uint32_t day, Milliseconds now);

  std::string_view ledger_seed() const;
  std::string_view entry_private_key() const;

 private:
  sealed::Context context_of(const KeyRow& row, const WrappingKey& above) const;
  Result<WrappingKey> above(const KeyPlace& place);
  Result<KeyRow> wrap(const KeyPlace& place, std::string_view key, const WrappingKey& above, Milliseconds now) const;
  Result<SecretText> unwrap(const KeyRow& row, const WrappingKey& above) const;
  Result<SecretText> open_root(std::string_view passphrase_key, const KeystoreHeader& header) const;
  Status load_region();

  struct Held {
    Id id;
    SecretText key;
  };

  Keystore& keystore_;
  SecretPages& pages_;
  const std::string region_;
  Id region_key_id_;
  std::map<KeyPlace, Held> held_;                        // opened keys of tenants
  std::map<std::pair<Id, Slot>, std::uint32_t> newest_;  // newest version of purpose keys
};

}  // namespace mailhold::keys
