// KeyService: what keyd does. It opens the keystore by one of its seals, hands out what a role may have, keeps
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
#include "core/keys/root_seals.h"
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
    std::filesystem::path keystore;    // the file; made by initialise
    std::string region;                // 1 to 64 bytes
    crypto::Argon2idCost cost{};       // of new passphrases; an existing one says its own
    TokenKeys token{};                 // hardware tokens; empty: none
    std::uint32_t rewrap_rows = 4096;  // that one step of a rotation wraps anew: about a tenth of a second
    // What is wrong with this host; while anything is, no seal is opened. Empty: the host is not asked.
    std::function<std::vector<HostFinding>()> host{};
  };
  struct UnsealProgress {
    bool unsealed = false;
    std::uint8_t shares_given = 0;  // of shares_needed, while more are missing
    std::uint8_t shares_needed = 0;
  };

  KeyService(Settings settings, ReceiptVerifier verifier, const Clock& clock = system_clock());
  ~KeyService();
  KeyService(const KeyService&) = delete;
  KeyService& operator=(const KeyService&) = delete;

  KeyStatus status() const;
  // A new region, unsealed. At least two seals, none of which may be a repetition of another: whoever loses one has the
  // other. Gives the shares of those seals that have some, in order; they are nowhere else. already_exists; invalid_input.
  Result<std::vector<SecretText>> initialise(const std::vector<SealRequest>& seals);
  // By a passphrase, a PIN or shares (one line each). Shares are collected, from one call or several, for a quarter of an
  // hour. denied for what does not open, with the name of a wrong share; the good ones stay. Nothing else changes.
  // not_found without a keystore or a seal of that kind. As for initialise and drill: denied while this host is not as recorded.
  Result<UnsealProgress> unseal(SealKind kind, std::string_view secret);
  // One more wrap of the root of an unsealed region; gives its shares.
  Result<std::vector<SecretText>> add_seal(const SealRequest& request);
  Status remove_seal(Id seal);  // not_found; denied if fewer than two would be left
  // Proves that a seal opens the root in use (of a sealed region: the root its keys hang from). Changes nothing but the
  // date of the drill. All shares that are needed must be given at once.
  Result<SealInfo> drill(SealKind kind, std::string_view secret);
  void seal();  // forgets every key
  // Of an unsealed region: that this keystore is not an older copy of itself. `event` is the newest of its events that the ledger
  // has; none if it has none. Until then no secret of a connection is used. denied: this keystore knows nothing of that event,
  // so it is older than the ledger, or another one's. `accept`: somebody decided that it is to be used nevertheless.
  Status confirm(Id event, bool accept);

  Status create_tenant(Id tenant);   // already_exists, also for a destroyed one
  Status destroy_tenant(Id tenant);  // afterwards nothing of the tenant opens any more, here or in later copies

  Result<SpoolKey> spool_public_key(Id tenant);
  Result<SecretText> spool_private_key(Id tenant, std::uint32_t version);
  Result<SymmetricKey> link_key(Id tenant, std::uint32_t version);  // version 0: the newest
  Status rotate_link_key(Id tenant);
  Result<SymmetricKey> day_key(Id tenant, std::uint32_t day, std::uint32_t version = 0);  // see KeyClient::day_key
  Status destroy_day(Id tenant, std::uint32_t day);
  Result<SymmetricKey> purpose_key(Id tenant, Purpose purpose);  // configuration, token, trace or index; else denied
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
  void forget_opened_keys();  // keyd calls it again and again: those whose minute is over (opened_keys.h)

  // Rotation: see rotation.h. Those of regions and tenants go on by rewrap_step(), which keyd calls again and again: true
  // if there was something to do. It also says what no copy of the keystore opens any more (`key.shred_completed`).
  Status rotate_root();  // the old root is destroyed when this returns; what follows is a rotation of the region
  Status rotate_region();
  Status rotate_tenant(Id tenant);
  Status rotate_day(Id tenant, std::uint32_t day);
  Status end_day_rotation(Id tenant, std::uint32_t day, std::uint64_t rows);
  Status rotate_connection(Id tenant, Id connection);
  Result<bool> rewrap_step();

  // keyd calls it again and again: a finding about the host that is new becomes an event (R19). Also while sealed.
  void look_at_host();

  // What happened, for the ledger, oldest first; an event is handed out until it is forgotten. Also while sealed.
  Result<std::vector<KeyEvent>> events();
  Status forget_event(Id event);

  struct State;  // key_service_state.h

 private:
  Status check_host();  // denied, with the first finding
  Result<OpenedSeal> open_root(const std::vector<SealRow>& seals, SealKind kind, std::string_view secret,
                               UnsealProgress& progress);
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::keys
