// SCRAM-SHA-256 (RFC 5802, RFC 7677) as a client, without channel binding. The one who knows the password computes a
// ScramAnswer from the messages alone; the dialogue needs no password.
//
//   ScramDialogue dialogue(user, nonce);         say(client_first());  hear the server-first message
//   question = dialogue.question(server_first)   answer = answer_scram(user, password, question)
//   say(dialogue.client_final(answer));          check(server_final)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::sasl {

inline constexpr std::uint32_t scram_iterations_min = 4096;     // RFC 7677 section 4
inline constexpr std::uint32_t scram_iterations_max = 250'000;  // a hostile server may cost us no more

struct ScramQuestion {
  std::string client_first_bare;
  std::string server_first;
};
std::string encode(const ScramQuestion& question);
Result<ScramQuestion> parse_scram_question(std::string_view bytes);  // corrupt

struct ScramAnswer {
  std::string proof;             // 32 bytes; opens nothing but this dialogue
  std::string server_signature;  // 32 bytes; what an honest server will say
};
std::string encode(const ScramAnswer& answer);
Result<ScramAnswer> parse_scram_answer(std::string_view bytes);  // corrupt

// invalid_input: the server's message breaks the protocol or asks for too much; denied: the user is another one.
Result<ScramAnswer> answer_scram(std::string_view user, std::string_view password, const ScramQuestion& question);

class ScramDialogue {
 public:
  ScramDialogue(std::string_view user, std::string nonce);  // the nonce: printable, no comma, fresh for each dialogue
  std::string client_first() const { return "n,," + client_first_bare_; }
  // invalid_input unless the message is sound, and continues our nonce.
  Result<ScramQuestion> question(std::string_view server_first) const;
  std::string client_final(const ScramQuestion& question, const ScramAnswer& answer) const;
  // denied: the server does not know the password either.
  static Status check(std::string_view server_final, const ScramAnswer& answer);

 private:
  std::string nonce_;
  std::string client_first_bare_;
};

}  // namespace mailhold::sasl
