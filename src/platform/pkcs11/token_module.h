// TokenModule: a vendor's PKCS #11 module (OASIS PKCS #11 v2.40), as far as sealing a root key needs it: an AES-256 key that
// was made inside the token and can't leave it wraps and unwraps 32 bytes with AES-GCM. Every call opens a session, logs in
// and logs out again: nothing stays open in between. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::pkcs11 {

class TokenModule {
 public:
  // Loads and initialises the module. not_found if the file is no module; unavailable if it does not initialise.
  static Result<std::unique_ptr<TokenModule>> load(const std::string& file);
  ~TokenModule();
  TokenModule(const TokenModule&) = delete;
  TokenModule& operator=(const TokenModule&) = delete;

  // The token is found by its label. Makes the key on the first call. Gives nonce[12], ciphertext, tag[16].
  // Both: not_found if no token of that label is there; denied for a wrong PIN, or a token that locked itself after too many;
  // unavailable if the token fails; corrupt if the wrapped bytes are not of this token's key.
  Result<std::string> wrap(const std::string& token, std::string_view pin, std::string_view key);
  Result<SecretText> unwrap(const std::string& token, std::string_view pin, std::string_view wrapped);

 private:
  struct State;
  explicit TokenModule(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::pkcs11
