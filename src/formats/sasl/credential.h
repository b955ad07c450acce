// Credentials as SASL mechanisms carry them, not yet base64. Every one is held in SecretText.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::sasl {

enum class Mechanism { xoauth2, scram_sha_256, plain, login };
std::string_view name_of(Mechanism mechanism);  // "SCRAM-SHA-256"

// The best that the server offers for what we have; denied if none fits. Names are compared without case.
Result<Mechanism> choose(const std::vector<std::string>& offered, bool have_token);

// The message of PLAIN (RFC 4616) with an empty authorisation identity: NUL user NUL password. Views into it.
struct UserAndPassword {
  std::string_view user;
  std::string_view password;
};
Result<UserAndPassword> read_plain(std::string_view message);  // corrupt

// "user=" user ^A "auth=Bearer " token ^A ^A, as Google and Microsoft document XOAUTH2. invalid_input: a control character.
Result<SecretText> xoauth2(std::string_view user, std::string_view token);

}  // namespace mailhold::sasl
