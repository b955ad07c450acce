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
#include "platform/crypto/argon2id.h"
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
  std::string sealed{};  // empty: the key was destroyed, and its place stays taken
};

struct KeystoreHeader {
  std::string region{};
  std::string salt{};
  crypto::Argon2idCost cost{};
  std::string sealed_root{};
};

struct SecretRow {
  Id tenant{};
  Id connection{};
  std::uint64_t version = 0;
  std::string sealed{};
};

class Keystore {
 public:
  static Result<Keystore> open(const std::filesystem::path& file);

  // Nothing if the file has no header yet. corrupt if it has one of a kind we do not know.
  Result<std::optional<KeystoreHeader>> header();
  // The header and the first keys, all or none. already_exists if there is a header.
  Status create(const KeystoreHeader& header, const std::vector<KeyRow>& rows);

  Status insert(const std::vector<KeyRow>& rows);                    // all or none; already_exists if a place is taken
  Result<KeyRow> find(const KeyPlace& place);                        // not_found
  Result<KeyRow> newest(Id tenant, Slot slot, std::uint32_t epoch);  // the highest version; not_found
  Result<std::uint32_t> count_tenants();

  Status create_tenant(Id tenant, const std::vector<KeyRow>& rows);  // already_exists, also for a destroyed one
  Status destroy_tenant(Id tenant, Milliseconds now);                // not_found
  Status destroy_key(const KeyPlace& place);                         // not_found

  // Replaces what is there: only the newest version of a secret is kept. already_exists if `row.version` is not the next.
  Status put_secret(const SecretRow& row);
  Result<SecretRow> secret(Id tenant, Id connection);              // not_found, also when it was destroyed
  Result<std::uint64_t> secret_version(Id tenant, Id connection);  // 0 if there never was one
  Status destroy_secret(Id tenant, Id connection);                 // not_found

 private:
  explicit Keystore(std::unique_ptr<records::Records> records) : records_(std::move(records)) {}
  std::unique_ptr<records::Records> records_;
};

}  // namespace mailhold::keys
