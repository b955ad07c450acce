// What keyd is asked and answers, from processes that may be taken over: whatever parses is what its encoding
// gives back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/keys/key_messages.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  const Id tenant = Id::from_bytes("tenant--tenant--");
  return {keys::encode(keys::SecretRecord{tenant, tenant, "policy", "box"}),
          keys::encode(keys::UseRequest{tenant, tenant, "policy", "route.submit", "smtp_plain", "receipt"}),
          std::string(keys::encode(keys::SymmetricKey{1, SecretText::copy_of(std::string(32, 'k'))}).reveal()),
          keys::encode_public(1, std::string(32, 'k')),
          keys::encode(keys::KeyStatus{keys::Seal::unsealed, "eu", 3, std::string(32, 's'), std::string(32, 'v'), true})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = keys::parse_secret_record(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_use_request(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_symmetric_key(input); parsed && keys::encode(*parsed).reveal() != input) std::abort();
  if (const auto parsed = keys::parse_public_key(input);
      parsed && keys::encode_public(parsed->version, parsed->public_key) != input)
    std::abort();
  if (const auto parsed = keys::parse_status(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_rotate_request(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_events(input); parsed && keys::encode(*parsed).size() > input.size()) std::abort();
  if (const auto parsed = keys::parse_seal_info(input); parsed && keys::encode(*parsed) != input) std::abort();
  if (const auto parsed = keys::parse_secrets(input); parsed && keys::encode_secrets(*parsed).reveal() != input) std::abort();
  if (size >= 1) {  // seals in one piece, their secrets in the other
    const std::size_t cut = data[0] % size;
    const auto parsed = keys::parse_seals(input.substr(1, cut), input.substr(1 + std::min(cut, size - 1)));
    if (parsed && keys::encode_seals(*parsed) != input.substr(1, cut)) std::abort();
  }
  return 0;
}
