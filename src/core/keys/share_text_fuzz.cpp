// Fuzzer of the text of recovery shares: what parses is written in one way and gives itself back.
#include <cstdint>
#include <cstdlib>

#include "core/keys/share_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto share = keys::parse_share(input)) {
    const SecretText text = keys::write_share(*share);
    const auto again = keys::parse_share(text.reveal());
    if (!again || again->index != share->index || again->value.reveal() != share->value.reveal()) std::abort();
  }
  // Any bytes as a share's value: what is written must parse.
  if (size >= 34) {
    keys::RecoveryShare share{"RRRR", "SSSS", static_cast<std::uint8_t>(2 + data[0] % 250),
                              static_cast<std::uint8_t>(1 + data[1] % 254), SecretText::copy_of(input.substr(2, 32))};
    const auto parsed = keys::parse_share(keys::write_share(share).reveal());
    if (!parsed || parsed->value.reveal() != share.value.reveal() || parsed->threshold != share.threshold) std::abort();
  }
  return 0;
}
