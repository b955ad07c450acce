// The templates of KeyService::use: what keyd gives out for a use of a secret, and nothing else. Each builds its answer by itself
// from the secret, the time and the one entry of the ledger it stands for.
//
//   smtp_plain        no fields -> the message of SASL PLAIN (RFC 4616), which also other protocols' passwords are taken from
//   scram_sha_256     a ScramQuestion (formats/sasl) -> a ScramAnswer: the password stays in keyd
//   client_assertion  no fields -> a JWT signed with PS256 (RFC 7523), good for 300 seconds, whose jti is the ledger's leaf. Its
//                     key is opened first (ClientSigner), since that costs twice what a signature does.
//
// Any thread, and without any lock: a proof or signature may take a while.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/key_types.h"
#include "platform/crypto/rsa.h"

namespace mailhold::keys {

bool is_template(std::string_view name);
bool needs_signer(std::string_view template_name);

// All templates but those that need a signer. denied: a template that this kind of secret has not; invalid_input: fields that
// cannot be read.
Result<SecretText> answer_template(const UseRequest& request, const SecretText& secret);

// A client's key, ready to sign; what signs lies in secret memory (platform/crypto/rsa.h).
class ClientSigner {
 public:
  // denied: not a secret of this kind; corrupt.
  static Result<std::shared_ptr<const ClientSigner>> open(const SecretText& secret);
  Result<SecretText> assertion(std::string_view leaf_hash, Milliseconds now) const;

 private:
  ClientSigner(std::string client_id, std::string audience, std::string scope, std::string certificate_sha256,
               crypto::RsaPrivateKey key)
      : client_id_(std::move(client_id)),
        audience_(std::move(audience)),
        scope_(std::move(scope)),
        certificate_sha256_(std::move(certificate_sha256)),
        key_(std::move(key)) {}
  const std::string client_id_, audience_, scope_, certificate_sha256_;
  const crypto::RsaPrivateKey key_;
};

// What is sealed for "client_assertion": a client's key as PKCS#8 or PKCS#1 PEM, with what its assertions say.
struct ClientKey {
  std::string client_id{};
  std::string audience{};  // the token endpoint: "https://login.example.com/tenant/oauth2/v2.0/token"
  std::string scope{};
  std::string certificate_sha256{};  // 32 bytes: x5t#S256
  SecretText private_key{};          // PEM, RSA of at least 2048 bits; stored as its numbers
};
Result<SecretText> encode_client_key(const ClientKey& key);  // invalid_input says what is wrong

// Whether the bytes are a secret of one of these kinds. invalid_input.
Status check_secret(std::string_view secret);

}  // namespace mailhold::keys
