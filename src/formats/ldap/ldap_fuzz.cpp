#include <cstdint>
#include <cstdlib>

#include "formats/ldap/ber.h"
#include "formats/ldap/ldap_request_filter.h"

// A message is one element, no more; what passes as a search names no credential in clear.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::ldap;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto message = parse_message(bytes);
  if (!message) return 0;
  const auto whole = element_size(bytes);
  if (!whole || !*whole || **whole != size) std::abort();
  (void)result_code(*message);
  if (check_request(*message, {"dc=example"}) && message->operation != 0x63 && message->operation != 0x50 &&
      message->operation != 0x42 && message->operation != 0x77)
    std::abort();
  return 0;
}
