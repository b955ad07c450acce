// The public key of a selector as a TXT record, RFC 6376 section 3.6.1 and RFC 8463 section 4.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::dkim {

struct KeyRecord {
  bool is_ed25519 = false;        // k=; rsa if false
  std::string public_key{};       // p= decoded: DER for RSA, 32 bytes for ed25519
  bool testing = false;           // t=y
  bool same_domain_only = false;  // t=s: the domain of i= must equal d=
};

// invalid_input (detail is a fixed phrase) for records that cannot be used for mail with SHA-256: malformed, revoked, of
// another service or hash.
Result<KeyRecord> parse_key_record(std::string_view text);

}  // namespace mailhold::dkim
