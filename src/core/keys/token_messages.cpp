#include "core/keys/token_messages.h"

#include "base/bytes.h"
#include "core/keys/key_messages.h"

namespace mailhold::keys {

SecretText encode_token_question(std::string_view token, std::string_view pin, std::string_view bytes) {
  std::vector<SecretText> pieces;
  for (const std::string_view piece : {token, pin, bytes}) pieces.push_back(SecretText::copy_of(piece));
  return encode_secrets(pieces);
}

Result<TokenQuestion> parse_token_question(std::string_view bytes) {
  ASSIGN_OR_RETURN(std::vector<SecretText> pieces, parse_secrets(bytes));
  if (pieces.size() != 3) return Error{ErrorKind::invalid_input, "a malformed question to tokend"};
  return TokenQuestion{std::string(pieces[0].reveal()), std::move(pieces[1]), std::move(pieces[2])};
}

TokenKeys token_keys(TokenCall call) {
  return {[call](const std::string& token, std::string_view pin, std::string_view key) {
            return call(static_cast<std::uint16_t>(TokenMethod::wrap), encode_token_question(token, pin, key).reveal());
          },
          [call](const std::string& token, std::string_view pin, std::string_view wrapped) -> Result<SecretText> {
            ASSIGN_OR_RETURN(std::string key, call(static_cast<std::uint16_t>(TokenMethod::unwrap),
                                                   encode_token_question(token, pin, wrapped).reveal()));
            return SecretText::take(std::move(key));
          }};
}

}  // namespace mailhold::keys
