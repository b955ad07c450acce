// The templates of KeyService::use: what keyd gives out for a use of a secret, and nothing else. Each builds its answer by itself
// from the secret, the time and the one entry of the ledger it stands for.
//
//   smtp_plain        no fields -> the message of SASL PLAIN (RFC 4616), which also other protocols' passwords are taken from
//   scram_sha_256     a ScramQuestion (formats/sasl) -> a ScramAnswer: the password stays in keyd
//   client_assertion  no fields -> a JWT signed with PS256 (RFC 7523), good for 300 seconds, whose jti is the ledger's leaf
//
// Any thread, and without any lock: a proof or signature may take a while.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/key_types.h"

namespace mailhold::keys {

bool is_template(std::string_view name);

// denied: a template that this kind of secret has not; invalid_input: fields that cannot be read.
Result<SecretText> answer_template(const UseRequest& request, const SecretText& secret, std::string_view leaf_hash,
                                   Milliseconds now);

// What is sealed for "client_assertion": a client's key as PKCS#8 or PKCS#1 PEM, with what its assertions say.
struct ClientKey {
  std::string client_id{};
  std::string audience{};  // the token endpoint: "https://login.example.com/tenant/oauth2/v2.0/token"
  std::string scope{};
  std::string certificate_sha256{};  // 32 bytes: x5t#S256
  SecretText private_key{};          // PEM, RSA of at least 2048 bits
};
Result<SecretText> encode_client_key(const ClientKey& key);  // invalid_input says what is wrong

// Whether the bytes are a secret of one of these kinds. invalid_input.
Status check_secret(std::string_view secret);

}  // namespace mailhold::keys
