#include <cstdint>
#include <cstdlib>

#include "formats/ldap/ber.h"
#include "formats/ldap/ldap_request_filter.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold::ldap;
  const std::string filter = element(0x87, "cn");
  const std::string search = element(
      0x63, element(tag_octets, "dc=example") + element(0x0a, "\2") + element(0x0a, std::string(1, '\0')) + integer(0x02, 0) +
                integer(0x02, 0) + element(0x01, std::string(1, '\0')) + filter + element(0x30, element(tag_octets, "mail")));
  const std::string refused = element(0x61, integer(tag_enumerated, 49) + element(tag_octets, "") +
                                                element(tag_octets, "80090308: LdapErr: comment: x, data 52e, v1db1"));
  return {element(0x30, integer(0x02, 2) + refused), element(0x30, integer(0x02, 1) + search),
          element(0x30, integer(0x02, 2) + element(0x42, ""))};
}

std::vector<std::string> fuzz_words() { return {"\x84", "\x81", "\x80", "\x30", "\x04", "\xa0"}; }

// A message is one element, no more; what passes as a search names no credential in clear.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::ldap;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto message = parse_message(bytes);
  if (!message) return 0;
  const auto whole = element_size(bytes);
  if (!whole || !*whole || **whole != size) std::abort();
  (void)result_code(*message);
  if (reason_of_refusal(*message).size() > 64) std::abort();
  if (check_request(*message, {"dc=example"}) && message->operation != 0x63 && message->operation != 0x50 &&
      message->operation != 0x42 && message->operation != 0x77)
    std::abort();
  return 0;
}
