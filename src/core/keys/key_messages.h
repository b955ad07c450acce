// The methods of keyd and the encodings of what is asked and answered: base/bytes.h, fields in the order given.
//
// Design: docs/formats/keystore.md, "Questions to keyd"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/keys/key_types.h"

namespace mailhold::keys {

enum class Method : std::uint16_t {
  status = 1,                 // () -> KeyStatus
  initialise = 2,             // passphrase -> ()
  unseal = 3,                 // passphrase -> ()
  create_tenant = 4,          // tenant -> ()
  destroy_tenant = 5,         // tenant -> ()
  spool_public_key = 6,       // tenant -> version, public key
  spool_private_keys = 7,     // tenant, version -> version, private key of that day and of the next if there is one
  link_key = 8,               // tenant, version (0: newest) -> version, key
  day_key = 9,                // tenant, day -> version, key
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
};

std::string_view name_of(Method method);  // "spool_public_key"; "unknown" for a number that is none

std::string encode(const KeyStatus& status);
Result<KeyStatus> parse_status(std::string_view bytes);
std::string encode(const SecretRecord& record);
Result<SecretRecord> parse_secret_record(std::string_view bytes);
std::string encode(const UseRequest& request);
Result<UseRequest> parse_use_request(std::string_view bytes);
std::string encode(const SymmetricKey& key);
Result<SymmetricKey> parse_symmetric_key(std::string_view bytes);
std::string encode_public(std::uint32_t version, std::string_view public_key);
Result<BoxPublicKey> parse_public_key(std::string_view bytes);

}  // namespace mailhold::keys
