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
#include "core/keys/key_wrapping.h"
#include "core/keys/keystore.h"
#include "core/keys/secret_pages.h"

namespace mailhold::keys {

class Hierarchy {
 public:
  Hierarchy(Keystore& keystore, SecretPages& pages, std::string region)
      : keystore_(keystore), pages_(pages), region_(std::move(region)) {}

  // A new root with the keys of the region below it, not yet stored: store them, then take().
  struct NewRegion {
    SecretText root;
    std::vector<KeyRow> rows;
  };
  Result<NewRegion> make_region(Milliseconds now) const;
  // Holds the keys below this root from now on. corrupt if what hangs below it does not open.
  Status take(std::string_view root);
  // Whether this is the root that is held; with none held, whether the region's key opens under it. corrupt if not.
  Status check(std::string_view root) const;
  std::string_view root() const;
  std::uint32_t root_version() const { return root_version_; }  // 0: none is held
  void close();                                                 // forgets all

  Status create_tenant(Id tenant, Milliseconds now);
  void forget_tenant(Id tenant);
  void forget(const KeyPlace& place);

  // The key of that place, not_found if there is none or it was destroyed. The view holds until the next call.
  Result<WrappingKey> key(const KeyPlace& place);
  Result<WrappingKey> newest(Id tenant, Slot slot, std::uint32_t epoch = 0);
  // A random key for that place, wrapped under the newest key above it. Not stored.
  Result<KeyRow> make(const KeyPlace& place, Milliseconds now);
  Status make_next(Id tenant, Slot slot, Milliseconds now);                                     // stored, one version up
  Result<WrappingKey> make_day_key(Id tenant, Slot slot, std::uint32_t day, Milliseconds now);  // or the one there is

  // Rotation. The region's next key and its rows below it (not tenants'), to be stored together; then adopt_region().
  struct NextRegionKey {
    SecretText key;
    KeyRow row;
    std::vector<KeyRow> rewrapped;
  };
  Result<NextRegionKey> make_next_region_key(Milliseconds now);
  // The same with the next root above it: region keys that live on are among `rewrapped`. Stored, then adopt_root().
  struct NextRoot {
    SecretText root;
    std::uint32_t version = 0;
    NextRegionKey region;
  };
  Result<NextRoot> make_next_root(Milliseconds now);
  Status adopt_root(const NextRoot& next);
  Status adopt_region();                                        // reads the versions of the region key anew
  Result<WrappingKey> region_key(std::uint32_t version) const;  // not_found if it was destroyed
  std::uint32_t region_version() const { return region_keys_.empty() ? 0 : region_keys_.rbegin()->first; }
  // The row under the newest key above it, or under the one given.
  Result<KeyRow> rewrapped(const KeyRow& row);
  Result<KeyRow> rewrapped(const KeyRow& row, const WrappingKey& above);
  Result<KeyRow> wrap(const KeyPlace& place, std::string_view key, const WrappingKey& above, Milliseconds now) const;

  std::string_view ledger_seed() const;
  std::string_view entry_private_key() const;

 private:
  Result<NextRegionKey> make_next_region_key(const WrappingKey& root, Milliseconds now);

  Result<WrappingKey> above(const KeyRow& row);             // as the row is sealed
  Result<WrappingKey> newest_above(const KeyPlace& place);  // as a new row is to be sealed
  Result<SecretText> unwrap(const KeyRow& row, const WrappingKey& above) const;

  struct Held {
    Id id;
    SecretText key;
  };
  struct RegionKey {
    Id id;
    std::size_t page = 0;
  };

  Keystore& keystore_;
  SecretPages& pages_;
  std::string region_;
  std::uint32_t root_version_ = 0;
  std::map<std::uint32_t, RegionKey> region_keys_;  // by version: two while a rotation is under way
  std::map<KeyPlace, Held> held_;                   // opened keys of tenants
  std::map<KeyPlace, std::uint32_t> newest_;        // newest version, by the place with version 0
};

}  // namespace mailhold::keys
