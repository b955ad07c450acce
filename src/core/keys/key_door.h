// KeyDoor: keyd's side of the channel. Decodes a question, checks that the role of the asker may ask it,
// has KeyService answer, encodes. A role that asks what it may not is denied, and a line in the log says so.
// Any thread.
//
// Design: docs/formats/keystore.md, "Questions to keyd"
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/key_messages.h"
#include "core/keys/key_service.h"

namespace mailhold::keys {

// Whether a process of that role ("gatewayd-in") may call the method at all.
bool may_call(std::string_view role, Method method);

class KeyDoor {
 public:
  explicit KeyDoor(KeyService& service) : service_(service) {}

  // denied, or what the method promises. Any answer may be a key.
  Result<SecretText> answer(std::string_view role, std::uint16_t method, std::string_view body);

 private:
  Result<SecretText> answer_ceremony(Method method, std::string_view body);
  Result<SecretText> answer_simple(std::string_view role, Method method, std::string_view body);
  KeyService& service_;
};

}  // namespace mailhold::keys
