#include <cstdint>
#include <cstdlib>

#include "formats/sasl/scram.h"

// Whatever a server says, the answer is made for our nonce and user only, and its own final message is not enough.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::sasl;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const ScramDialogue dialogue("user", "rOprNGfwEbeRWgbNEkqO");
  if (const auto question = dialogue.question(message)) {
    if (question->server_first != message || message.find("rOprNGfwEbeRWgbNEkqO") != 2) std::abort();
    if (message.find("i=4096") != std::string_view::npos && !answer_scram("user", "pencil", *question)) std::abort();
  }
  if (ScramDialogue::check(message, {"", std::string(32, 'x')}) && message.size() < 46) std::abort();
  (void)parse_scram_question(message);
  return 0;
}
