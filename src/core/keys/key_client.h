// KeyClient: how every process but keyd gets at keys.
//
// Keys of tenants are leases: kept in memory, asked for again after an hour, and used for up to 48 hours while keyd
// does not answer, so that running gateways live on through keyd's death or a sealed region. With a day key the next
// day's comes along. Nothing is written to disk. Any thread.
//
// All calls: not_found for a tenant that does not exist, denied if this process' role may not ask (or the passphrase is
// wrong), unavailable if keyd is away or the region sealed and no lease is left.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/key_messages.h"
#include "core/keys/key_types.h"

namespace mailhold::keys {

// Carries one request to keyd and brings the answer: ipc::Client::call in programs, KeyDoor::answer in tests.
using KeyCall = std::function<Result<std::string>(std::uint16_t method, std::string_view body, const Deadline& deadline)>;

struct LeaseTimes {
  std::chrono::steady_clock::duration refresh = std::chrono::hours(1);
  std::chrono::steady_clock::duration life = std::chrono::hours(48);
  std::chrono::steady_clock::duration retry = std::chrono::seconds(5);  // between two tries while keyd is away
};

class KeyClient {
 public:
  using Now = std::function<std::chrono::steady_clock::time_point()>;

  explicit KeyClient(KeyCall call, LeaseTimes times = {}, Now now = std::chrono::steady_clock::now);
  ~KeyClient();
  KeyClient(const KeyClient&) = delete;
  KeyClient& operator=(const KeyClient&) = delete;

  // Spool: gatewayd-in seals hour keys to it, only gatewayd-out can have them opened. `context` is the encoded
  // sealed::Context of the box; it must be one of this tenant. corrupt if the box does not open.
  Result<SpoolKey> spool_public_key(Id tenant, const Deadline& deadline);
  Result<SecretText> open_spool_box(Id tenant, std::uint32_t version, std::string_view box, std::string_view context,
                                    const Deadline& deadline);

  Result<LinkKey> link_key(Id tenant, const Deadline& deadline);                         // the newest
  Result<LinkKey> link_key(Id tenant, std::uint32_t version, const Deadline& deadline);  // not_found if never made

  Status rotate_link_key(Id tenant, const Deadline& deadline);  // the old ones still open what was made under them

  // Under which data keys of that day are wrapped: the newest version. `day` counts from 1970, UTC. Days of the last five
  // weeks and tomorrow get a key when they are first asked for, and so do legal holds and days of backups (key_types.h), at any
  // time; not_found for others that have none and for destroyed ones.
  Result<DayKey> day_key(Id tenant, std::uint32_t day, const Deadline& deadline);
  // That version, to open what names it. not_found once a rotation has ended it.
  Result<DayKey> day_key(Id tenant, std::uint32_t day, std::uint32_t version, const Deadline& deadline);
  // The store has wrapped all of that day under the newest version: older ones are destroyed. `rows` is for the record.
  Status end_day_rotation(Id tenant, std::uint32_t day, std::uint64_t rows, const Deadline& deadline);

  Result<PurposeKey> purpose_key(Id tenant, Purpose purpose, const Deadline& deadline);  // trace, configuration, index
  Result<PurposeKey> token_key(Id tenant, const Deadline& deadline);

  Result<LedgerPublicKey> ledger_public_key(Id tenant, const Deadline& deadline);
  Result<SecretText> open_ledger_box(Id tenant, std::uint32_t version, std::string_view box, std::string_view context,
                                     const Deadline& deadline);

  // ledgerd, once at its start.
  Result<SecretText> ledger_signing_seed(const Deadline& deadline);
  Result<std::string> ledger_verifying_key(const Deadline& deadline);

  // Tenants. create_tenant: already_exists for a known or destroyed one. destroy_tenant makes all that was ever sealed
  // for the tenant unreadable; it cannot be undone.
  Status create_tenant(Id tenant, const Deadline& deadline);
  Status destroy_tenant(Id tenant, const Deadline& deadline);
  // Retention: forgets the store key of a day, and with it what hangs from it alone. invalid_input before the day is over.
  Status destroy_day(Id tenant, std::uint32_t day, const Deadline& deadline);

  // Secrets of connections. put_secret gives the version it was stored as.
  Result<std::string> secret_public_key(const Deadline& deadline);
  Result<std::uint64_t> put_secret(const SecretRecord& record, const Deadline& deadline);
  Status destroy_secret(Id tenant, Id connection, const Deadline& deadline);
  // authd: denied unless the receipt is genuine, fresh, unused and for exactly this use; corrupt if the secret was
  // not put for this policy. Template "smtp_plain" gives the SASL PLAIN message (RFC 4616), not yet base64.
  Result<SecretText> use(const UseRequest& request, const Deadline& deadline);

  // The region. Its seals are made and opened by ceremonies whose secrets travel apart: KeyDoor, programs/apid.
  Result<KeyStatus> status(const Deadline& deadline);
  Status rotate(const RotateRequest& request, const Deadline& deadline);
  Status remove_seal(Id seal, const Deadline& deadline);
  // What happened to keys and is not in the ledger yet, oldest first. Forget each when it is there.
  Result<std::vector<KeyEvent>> events(const Deadline& deadline);
  Status forget_event(Id event, const Deadline& deadline);
  // See KeyService: that the keystore is not an older copy than the ledger's newest event of it says; and the end of all use.
  Status confirm(Id event, bool accept, const Deadline& deadline);
  Status seal(const Deadline& deadline);

  void forget_leases();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::keys
