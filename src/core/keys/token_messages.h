// What keyd asks of tokend: to wrap or unwrap the key of a seal inside a hardware token. The answer is the bytes alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/root_seals.h"

namespace mailhold::keys {

enum class TokenMethod : std::uint16_t { wrap = 1, unwrap = 2 };  // TokenQuestion -> bytes

struct TokenQuestion {
  std::string token{};  // label
  SecretText pin{};
  SecretText bytes{};  // the key, or what wraps it
};
SecretText encode_token_question(std::string_view token, std::string_view pin, std::string_view bytes);
Result<TokenQuestion> parse_token_question(std::string_view bytes);

// Over a channel to tokend. unavailable while it is away.
using TokenCall = std::function<Result<std::string>(std::uint16_t method, std::string_view body)>;
TokenKeys token_keys(TokenCall call);

}  // namespace mailhold::keys
