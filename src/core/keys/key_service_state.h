// What KeyService holds. Internal to this room: shared by key_service.cpp and key_service_seals.cpp.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "core/keys/hierarchy.h"
#include "core/keys/key_service.h"
#include "core/keys/opened_keys.h"
#include "core/keys/rotation.h"
#include "core/keys/spent_receipts.h"

namespace mailhold::keys {

// Shares of one set on their way to an unsealing.
struct GatheredShares {
  Id seal;
  std::map<std::uint8_t, SecretText> values;  // by index
  Milliseconds since = 0;
};

struct KeyService::State {
  State(KeyService::Settings given, ReceiptVerifier receipt_verifier, const Clock& the_clock)
      : settings(std::move(given)),
        seals(settings.region, settings.cost, settings.token),
        verifier(std::move(receipt_verifier)),
        clock(the_clock),
        spent(the_clock.now()) {}

  const KeyService::Settings settings;
  const RootSeals seals;
  const ReceiptVerifier verifier;
  const Clock& clock;
  SecretPages pages;
  std::mutex ceremony;  // one unsealing at a time: a passphrase takes much memory. Guards `gathered`; taken before mutex
  GatheredShares gathered;
  mutable std::mutex mutex;
  // Guarded by mutex:
  std::optional<Keystore> keystore;
  std::optional<Hierarchy> hierarchy;  // present: unsealed
  RewrapAhead ahead;                   // after the keystore, which it reads
  OpenedKeys opened;
  std::string verifying_key;  // of the ledger, once somebody asked while the region is unsealed
  SpentReceipts spent;
  std::set<std::pair<std::string, std::string>> known_findings;  // kind and subject, that have become events

  std::vector<HostFinding> host_findings() const { return settings.host ? settings.host() : std::vector<HostFinding>(); }
  bool confirmed = false;  // the ledger knows of nothing newer
  Milliseconds shreds_looked_at = 0;

  Status open_keystore() {
    if (keystore) return done();
    ASSIGN_OR_RETURN(keystore, Keystore::open(settings.keystore));
    return done();
  }

  // Runs `work` with the hierarchy of an unsealed region, alone.
  template <class Work>
  auto unsealed(Work work) -> decltype(work(*hierarchy)) {
    const std::lock_guard lock(mutex);
    if (!hierarchy) return Error{ErrorKind::unavailable, "the region is sealed"};
    return work(*hierarchy);
  }

  Result<bool> settle_shreds(Hierarchy& keys);  // true if there were any
  // A seal of format 2, which was just opened and whose root is the one in use, gets its key pair.
  void bring_up_to_date(const OpenedSeal& opened_seal);
  // The row of a secret that a receipt was spent for, and what it opens to.
  struct Use {
    SecretRow row{};
    std::string policy_hash{};
    std::shared_ptr<const ClientSigner> signer{};  // one that was kept
    SecretText secret{};                           // else
  };
  Result<Use> open_use(const UseRequest& request, const VerifiedReceipt& receipt, Milliseconds now);
  void keep_opened(const Use& use, std::shared_ptr<const ClientSigner> signer, Milliseconds now);

  Rotation rotation(Hierarchy& keys) { return {*keystore, keys, ahead, settings.region, settings.rewrap_rows}; }
  std::uint32_t today() const { return day_of(clock.now()); }
  KeyEvent event(std::string name, Id tenant, std::map<std::string, std::string> fields) const {
    return {Id::random(), clock.now(), tenant, std::move(name), std::move(fields)};
  }
};

}  // namespace mailhold::keys
