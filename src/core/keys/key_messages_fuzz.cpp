// What keyd is asked and answers, from processes that may be taken over: whatever parses is what its encoding
// gives back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/keys/key_messages.h"

using namespace mailhold;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = keys::parse_secret_record(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_use_request(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_symmetric_key(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_public_key(input);
      parsed && keys::encode_public(parsed->version, parsed->public_key) != input)
    std::abort();
  if (const auto parsed = keys::parse_status(input); parsed && keys::encode(*parsed) != input) std::abort();
  return 0;
}
