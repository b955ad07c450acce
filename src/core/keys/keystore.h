// Keystore: the small file of wrapped keys. It keeps rows and knows no key: every `sealed` is a row of formats/sealed
// that only core/keys' hierarchy can open. Writes are durable when they return; deletions are final in the file itself.
// Any thread.
//
// Design: docs/formats/keystore.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "core/keys/key_types.h"
#include "platform/records/records.h"

namespace mailhold::keys {

// What a key of the file is: the purposes of key_types.h (1 to 8) for keys of a tenant, and these.
enum class Slot : std::uint8_t {
  tenant = 0,
  region = 100,
  ledger_seed = 101,
  entry = 102,
};

struct KeyPlace {
  Id tenant{};  // none for keys of the region
  Slot slot = Slot::tenant;
  std::uint32_t epoch = 0;  // a day for day keys, else 0
  std::uint32_t version = 1;
  friend bool operator==(const KeyPlace&, const KeyPlace&) = default;
  friend auto operator<=>(const KeyPlace&, const KeyPlace&) = default;
};

struct KeyRow {
  KeyPlace place{};
  Id id{};
  Milliseconds created_at = 0;
  std::uint32_t key_version = 1;  // of the key above, under which it is sealed
  std::string sealed{};           // empty: the key was destroyed, and its place stays taken
};

// A wrap of the root key: what opens it is said by kind and parameters. Without a public key it is of format 2.
struct SealRow {
  Id id{};
  SealKind kind = SealKind::passphrase;
  Milliseconds created_at = 0;
  Milliseconds drilled_at = 0;
  std::string parameters{};
  std::string sealed{};            // the root
  std::uint32_t root_version = 1;  // of the root in it
  std::string public_key{};        // X25519: the next root is sealed to it
  std::string sealed_private{};    // its private half, under the seal's own key
  std::string vouched{};           // under the root: that all of this is as it was when the seal was made
};

// What was shredded under one version of the root, until no copy of the keystore that could still open it may be left.
struct ShredRow {
  Id tenant{};
  std::string scope{};  // "tenant" or "day"
  std::uint32_t root_version = 0;
  std::uint64_t count = 0;
  Milliseconds newest = 0;
};

// The secret of a connection is sealed under the connection's own key, which is wrapped under the tenant's connection key.
struct SecretRow {
  Id tenant{};
  Id connection{};
  std::uint64_t version = 0;
  std::string sealed{};  // empty: destroyed
  Id key_id{};
  std::uint32_t connection_key_version = 0;  // 0: a row of format 1, sealed under the tenant's connection key itself
  std::uint32_t key_version = 1;             // of the tenant's connection key
  std::string sealed_key{};
};

class Keystore {
 public:
  // Brings a file of an older format up to date.
  static Result<Keystore> open(const std::filesystem::path& file);

  // The region whose keys these are; nothing before create(). corrupt if the file is of a kind we do not know.
  Result<std::optional<std::string>> region();
  // The region, the wraps of its root and its first keys, all or none. already_exists if there is a region.
  Status create(const std::string& region, const std::vector<SealRow>& seals, const std::vector<KeyRow>& rows,
                const KeyEvent& event);

  Result<std::vector<SealRow>> seals();  // oldest first
  Status add_seal(const SealRow& seal, const KeyEvent& event);
  Status remove_seal(Id seal, const KeyEvent& event);               // not_found
  Status replace_seal(const SealRow& seal, const KeyEvent& event);  // the row with that id; not_found
  Status set_drilled(Id seal, Milliseconds time, const KeyEvent& event);

  // Events for the ledger, oldest first. An event lies here until it is forgotten by its id.
  Status add_event(const KeyEvent& event);  // limit_exceeded above events_max, so that wrong passphrases can't fill the disk
  Result<std::vector<KeyEvent>> events(std::uint32_t limit);
  // The event is in the ledger by now. It is remembered as carried, the newest for ever and older ones for 36 days.
  Status forget_event(Id event, Milliseconds now);
  enum class Knowledge { unknown, known, of_before };  // of_before: the file is older than this memory and knows of no event
  Result<Knowledge> knows_event(Id event);             // whether it waits here or was carried from here
  Status adopt_event(Id event, Milliseconds now, const std::optional<KeyEvent>& why);
  static constexpr std::uint32_t events_max = 10'000;

  Status insert(const std::vector<KeyRow>& rows);                    // all or none; already_exists if a place is taken
  Result<KeyRow> find(const KeyPlace& place);                        // not_found
  Result<KeyRow> newest(Id tenant, Slot slot, std::uint32_t epoch);  // the highest version; not_found
  Result<std::vector<KeyRow>> versions(Id tenant, Slot slot, std::uint32_t epoch);  // those not destroyed, oldest first
  Result<std::uint32_t> count_tenants();

  Status create_tenant(Id tenant, const std::vector<KeyRow>& rows);  // already_exists, also for a destroyed one
  // Both remember under which root that was: see settled_shreds().
  Status destroy_tenant(Id tenant, std::uint32_t root_version, const KeyEvent& event);           // not_found
  Status destroy_key(const KeyPlace& place, std::uint32_t root_version, const KeyEvent& event);  // not_found
  // What was last shredded before that time, under an older root than the one given.
  Result<std::vector<ShredRow>> settled_shreds(std::uint32_t root_version, Milliseconds before, std::uint32_t limit);
  Status settle_shred(const ShredRow& row, const KeyEvent& event);

  // Replaces what is there: only the newest version of a secret is kept. already_exists if `row.version` is not the next.
  Status put_secret(const SecretRow& row, const KeyEvent& event);
  // The same secret under another key: already_exists if row.version is not the one that is stored.
  Status reseal_secret(const SecretRow& row, const std::optional<KeyEvent>& event);
  Result<SecretRow> secret(Id tenant, Id connection);                      // not_found, also when it was destroyed
  Result<std::uint64_t> secret_version(Id tenant, Id connection);          // 0 if there never was one
  Status destroy_secret(Id tenant, Id connection, const KeyEvent& event);  // not_found

  // Rotations, by tenant (none: the region) and day (0: the tenant or region itself).
  struct RotationRow {
    RotationProgress progress{};
    std::string cursor{};  // where the rewrap stands
  };
  Result<std::vector<RotationRow>> rotations();
  // New versions and rewrapped rows in one step; already_exists if such a rotation is under way.
  Status begin_rotation(const RotationRow& rotation, const std::vector<KeyRow>& made, const std::vector<KeyRow>& rewrapped,
                        const KeyEvent& event);
  // The same, with all wraps of the next root in the place of those of the old one. Then forget_replaced(), which may have to
  // wait for somebody who reads (unavailable); the end of the rotation does it too.
  Status begin_root_rotation(const RotationRow& rotation, const std::vector<KeyRow>& made, const std::vector<KeyRow>& rewrapped,
                             const std::vector<SealRow>& seals, const KeyEvent& event);
  Status forget_replaced();
  // A batch of rewrapped rows and the cursor behind them, in one step. A row that was destroyed meanwhile stays destroyed.
  Status advance_rotation(const RotationRow& rotation, const std::vector<KeyRow>& keys, const std::vector<SecretRow>& secrets);
  // Destroys the versions of those places below the one given, and ends the rotation; the file forgets them.
  Status end_rotation(const RotationRow& rotation, const std::vector<KeyPlace>& newest, const KeyEvent& event);

  // Living rows that an older version of the key above wraps, after the place given, in the order of their places. Days begin
  // behind {tenant, slot, 0, last_version}.
  static constexpr std::uint32_t last_version = UINT32_MAX;
  Result<std::vector<KeyRow>> stale_days(const KeyPlace& after, std::uint32_t newest_key_version, std::uint32_t limit);
  Result<std::vector<KeyRow>> stale_tenants(Id after, std::uint32_t newest_key_version, std::uint32_t limit);
  Result<std::vector<SecretRow>> stale_secrets(Id tenant, Id after, std::uint32_t newest_key_version, std::uint32_t limit);
  Result<std::uint64_t> count_days(Id tenant, Slot slot);
  Result<std::uint64_t> count_secrets(Id tenant);
  Result<std::uint64_t> count_unrotatable_secrets(Id tenant);  // of format 1: sealed under the tenant's connection key itself
  Result<std::vector<KeyRow>> purpose_keys(Id tenant);         // all living versions

 private:
  explicit Keystore(std::unique_ptr<records::Records> records) : records_(std::move(records)) {}
  std::unique_ptr<records::Records> records_;
};

}  // namespace mailhold::keys
