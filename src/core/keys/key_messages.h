// The methods of keyd and the encodings of what is asked and answered: base/bytes.h, fields in the order given.
//
// Design: docs/formats/keystore.md, "Questions to keyd"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/keys/key_service.h"
#include "core/keys/key_types.h"

namespace mailhold::keys {

enum class Method : std::uint16_t {
  status = 1,                 // () -> KeyStatus
  initialise = 2,             // seals, secrets -> shares
  unseal = 3,                 // kind, secret -> UnsealProgress
  create_tenant = 4,          // tenant -> ()
  destroy_tenant = 5,         // tenant -> ()
  spool_public_key = 6,       // tenant -> version, public key
  spool_private_keys = 7,     // tenant, version -> version, private key of that day and of the next if there is one
  link_key = 8,               // tenant, version (0: newest) -> version, key
  day_key = 9,                // tenant, day, version (0: newest) -> version, key
  purpose_key = 10,           // tenant, purpose -> version, key
  ledger_public_key = 11,     // tenant -> version, public key
  open_ledger_box = 12,       // tenant, version, context, box -> plaintext
  ledger_signing_seed = 13,   // () -> seed
  ledger_verifying_key = 14,  // () -> public key
  secret_public_key = 15,     // () -> public key
  put_secret = 16,            // SecretRecord -> version
  destroy_secret = 17,        // tenant, connection -> ()
  use = 18,                   // UseRequest -> the template's result
  destroy_day = 19,           // tenant, day -> ()
  token_key = 20,             // tenant -> version, key
  rotate_link_key = 21,       // tenant -> ()
  add_seal = 22,              // seals (one), secrets -> shares
  remove_seal = 23,           // seal -> ()
  drill = 24,                 // kind, secret -> SealInfo
  rotate = 25,                // RotateRequest -> ()
  end_day_rotation = 26,      // tenant, day, u64 rows -> ()
  events = 27,                // () -> events
  forget_event = 28,          // event -> ()
  confirm = 29,               // event, u8 accept -> ()
  seal = 30,                  // () -> ()
};

std::string_view name_of(Method method);  // "spool_public_key"; "unknown" for a number that is none

// What to rotate. Numbers go over the wire.
enum class RotationScope : std::uint8_t { region = 1, tenant = 2, day = 3, connection = 4, root = 5 };
struct RotateRequest {
  RotationScope scope = RotationScope::region;
  Id tenant{};
  std::uint32_t day = 0;
  Id connection{};
};
std::string encode(const RotateRequest& request);
Result<RotateRequest> parse_rotate_request(std::string_view bytes);

// Seals to be made travel in two pieces, since passphrases and PINs come in memory of their own that only keyd reads: what
// they are, and the secrets of those that have one, in order. A ceremony is both pieces, each a text.
std::string encode_seals(const std::vector<SealRequest>& seals);
Result<std::vector<SealRequest>> parse_seals(std::string_view seals, std::string_view secrets);
std::string encode_kind(SealKind kind);
Result<SealKind> parse_kind(std::string_view bytes);
SecretText encode_secrets(const std::vector<SecretText>& secrets);  // also shares on their way back
Result<std::vector<SecretText>> parse_secrets(std::string_view bytes);
SecretText encode_ceremony(std::string_view what, std::string_view secrets);

std::string encode(const KeyService::UnsealProgress& progress);
Result<KeyService::UnsealProgress> parse_progress(std::string_view bytes);
std::string encode(const SealInfo& seal);
Result<SealInfo> parse_seal_info(std::string_view bytes);
std::string encode(const std::vector<KeyEvent>& events);
Result<std::vector<KeyEvent>> parse_events(std::string_view bytes);

std::string encode(const KeyStatus& status);
Result<KeyStatus> parse_status(std::string_view bytes);
std::string encode(const SecretRecord& record);
Result<SecretRecord> parse_secret_record(std::string_view bytes);
std::string encode(const UseRequest& request);
Result<UseRequest> parse_use_request(std::string_view bytes);
SecretText encode(const SymmetricKey& key);
Result<SymmetricKey> parse_symmetric_key(std::string_view bytes);
std::string encode_public(std::uint32_t version, std::string_view public_key);
Result<BoxPublicKey> parse_public_key(std::string_view bytes);

}  // namespace mailhold::keys
