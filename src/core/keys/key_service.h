// KeyService: what keyd does. It opens the keystore with a passphrase, hands out what a role may have, keeps
// secrets of connections and uses them by template. It has no network and takes part in no decision of policy.
// Who may ask for what is KeyDoor's affair. Any thread; unseal and initialise take a second or more.
//
// All calls but status, initialise and unseal: unavailable while the region is sealed; not_found for an unknown tenant.
//
// Design: docs/formats/keystore.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/key_types.h"
#include "platform/crypto/argon2id.h"

namespace mailhold::keys {

// What a genuine receipt says. `leaf_hash` names the one use it stands for.
struct VerifiedReceipt {
  std::string leaf_hash;
  Milliseconds issued_at = 0;
  Milliseconds expires_at = 0;
};

// Checks the signature of a receipt with the ledger's verifying key and recomputes the leaf from the fields of the
// request as keyd sees them; denied if anything differs. Supplied by programs/keyd: the ledger stands above this room.
using ReceiptVerifier =
    std::function<Result<VerifiedReceipt>(const UseRequest& request, std::string_view ledger_verifying_key, Milliseconds now)>;

class KeyService {
 public:
  struct Settings {
    std::filesystem::path keystore;  // the file; made by initialise
    std::string region;              // 1 to 64 bytes
    crypto::Argon2idCost cost{};     // of a new keystore; an existing one says its own
  };

  KeyService(Settings settings, ReceiptVerifier verifier, const Clock& clock = system_clock());
  ~KeyService();
  KeyService(const KeyService&) = delete;
  KeyService& operator=(const KeyService&) = delete;

  KeyStatus status() const;
  Status initialise(std::string_view passphrase);  // already_exists; invalid_input below 8 bytes; then it is unsealed
  Status unseal(std::string_view passphrase);      // denied for a wrong one, which changes nothing; not_found without a keystore
  void seal();                                     // forgets every key

  Status create_tenant(Id tenant);   // already_exists, also for a destroyed one
  Status destroy_tenant(Id tenant);  // afterwards nothing of the tenant opens any more, here or in later copies

  Result<SpoolKey> spool_public_key(Id tenant);
  Result<SecretText> spool_private_key(Id tenant, std::uint32_t version);
  Result<SymmetricKey> link_key(Id tenant, std::uint32_t version);  // version 0: the newest
  Status rotate_link_key(Id tenant);
  Result<SymmetricKey> day_key(Id tenant, std::uint32_t day);  // see KeyClient::day_key
  Status destroy_day(Id tenant, std::uint32_t day);
  Result<SymmetricKey> purpose_key(Id tenant, Purpose purpose);  // configuration, token or trace; else denied
  Result<BoxPublicKey> ledger_public_key(Id tenant);
  Result<SecretText> open_ledger_box(Id tenant, std::uint32_t version, std::string_view context, std::string_view box);

  Result<SecretText> ledger_signing_seed();
  Result<std::string> ledger_verifying_key();
  Result<std::string> secret_public_key();

  // The box is opened and its secret stored under the connection key of the tenant, bound to the policy; the version counts
  // up with each put. corrupt if the box was not made for exactly this record.
  Result<std::uint64_t> put_secret(const SecretRecord& record);
  Status destroy_secret(Id tenant, Id connection);
  // See KeyClient::use. A receipt is spent by the first call that presents it, whether or not the secret then opens.
  Result<SecretText> use(const UseRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::keys
