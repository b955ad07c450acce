// What keyd hands out. Every key names the version under which rows must be sealed.
//
// Design: docs/formats/keystore.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "formats/sealed/context.h"

namespace mailhold::keys {

// What a tenant's key is for. Numbers are stored: never reuse one.
enum class Purpose : std::uint8_t {
  connection = 1,     // secrets of connections; never leaves keyd
  spool = 2,          // X25519, one per day; the private half goes to gatewayd-out only
  link = 3,           // link tokens
  configuration = 4,  // rows of settings, people, routes
  ledger = 5,         // X25519; entries of the ledger are sealed to it
  token = 6,          // HMAC key for keyed hashes inside the tenant
  trace = 7,          // rows of the trace log
  store = 8,          // one per day; wraps the data keys of what was stored that day
};

// The epochs of store keys: days since 1970 of what mail left here, holds, and the days of mailbox backups, which have keys of
// their own: shredding or rotating a day of mail must not take backups with it, and who reads the one cannot read the other.
inline constexpr std::uint32_t hold_epoch_first = 0x80000000;
inline constexpr std::uint32_t backup_epoch_first = 0xC0000000;

struct SpoolKey {  // for those who seal
  std::uint32_t version = 0;
  std::string public_key{};
};

struct SymmetricKey {  // 32 bytes
  std::uint32_t version = 0;
  SecretText key{};
};
using LinkKey = SymmetricKey;
using DayKey = SymmetricKey;
using PurposeKey = SymmetricKey;

struct BoxPublicKey {
  std::uint32_t version = 0;
  std::string public_key{};
};
using LedgerPublicKey = BoxPublicKey;

enum class Seal : std::uint8_t { uninitialised = 0, sealed = 1, unsealed = 2 };

// How a wrap of the root key is opened. Numbers are stored: never reuse one.
enum class SealKind : std::uint8_t {
  passphrase = 1,  // Argon2id
  shamir = 2,      // any `threshold` of the shares that people keep
  pkcs11 = 3,      // a key inside a hardware token, by its PIN
};
std::string_view name_of(SealKind kind);  // "passphrase"

// A wrap of the root key that is to be made.
struct SealRequest {
  SealKind kind = SealKind::passphrase;
  std::uint8_t threshold = 0;  // shamir: how many of
  std::uint8_t shares = 0;     // how many shares; 2 <= threshold <= shares
  std::string token{};         // pkcs11: the label of the token
  SecretText secret{};         // the passphrase or the PIN; nothing for shamir
};

// A wrap of the root key as it is known without opening it.
struct SealInfo {
  Id id{};
  SealKind kind = SealKind::passphrase;
  std::uint8_t threshold = 0;
  std::uint8_t shares = 0;
  std::string token{};
  Milliseconds created_at = 0;
  Milliseconds drilled_at = 0;  // when it last proved that it opens; 0: never since it was made
  std::uint32_t root_version = 0;
  bool has_key_pair = false;  // without one it cannot take the next root before it was opened once more
};

// Keys of a region, a tenant or a day that are being replaced: what hangs from the old ones is wrapped anew.
struct RotationProgress {
  Id tenant{};            // none: of the region
  std::uint32_t day = 0;  // 0: of the tenant or region
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  Milliseconds started_at = 0;
};

// What is wrong with the host that keyd runs on: kinds, and hashes of what it is about.
struct HostFinding {
  std::string kind{};     // "unknown program", or "not watched"
  std::string subject{};  // SHA-256 in hex; empty: the host as a whole
  std::string detail{};   // of "not watched": why
};

struct KeyStatus {
  Seal seal = Seal::uninitialised;
  std::string region{};
  std::uint32_t tenants = 0;           // 0 while sealed
  std::string secret_public_key{};     // empty while sealed
  std::string ledger_verifying_key{};  // Ed25519, empty while sealed
  bool confirmed = false;              // compared with the ledger: not an older copy of the keystore
  bool memory_is_secret = false;       // root keys lie in memfd_secret pages
  std::vector<SealInfo> seals{};
  std::uint32_t region_version = 0;  // of the region key; 0 while sealed
  std::uint32_t root_version = 0;    // of the root; 0 while sealed
  std::vector<RotationProgress> rotations{};
  bool host_is_asked = false;  // keys.host_state is set
  std::vector<HostFinding> host_findings{};
};

// What happened to keys, for the ledger. keyd has no way to the ledger: it keeps these until somebody has carried them there.
struct KeyEvent {
  Id id{};
  Milliseconds time = 0;
  Id tenant{};         // none: of the region
  std::string name{};  // "key.rotated"
  std::map<std::string, std::string>
      fields{};  // ids, numbers and kinds, named as core/evidence/clear_text.h allows; never a secret
};

// A connection's secret on its way in. `box` is sealed to secret_public_key() in the context of entry_context().
struct SecretRecord {
  Id tenant{};
  Id connection{};
  std::string policy{};  // canonical bytes of destination and purpose: the secret opens for no other
  std::string box{};
};

// One use of a connection's secret, as authd asks for it.
struct UseRequest {
  Id tenant{};
  Id connection{};
  std::string policy{};   // as the broker gave it; must be the one the secret was put with
  std::string purpose{};  // such as "route.submit"
  std::string template_name = "smtp_plain";
  std::string receipt{};  // encoded ledger receipt
  std::string fields{};   // what the template needs besides (use_templates.h)
};

// What is sealed into SecretRecord::box for the template "smtp_plain". invalid_input: empty, over 1 KiB, or with a zero byte,
// which RFC 4616 keeps as its separator.
Result<SecretText> encode_password(std::string_view user, std::string_view password);

// The context of SecretRecord::box: the box opens for this tenant, connection and policy only.
sealed::Context entry_context(const std::string& region, Id tenant, Id connection, std::string_view policy);

}  // namespace mailhold::keys
