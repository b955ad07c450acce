// Questions to keyd, from processes that may be taken over: a role, a method, then the body. Whatever is asked, a role gets
// nothing that is not its own.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "core/keys/key_door.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

constexpr std::array<std::string_view, 7> roles = {"gatewayd-in", "gatewayd-out", "linkd", "apid", "brokerd", "ledgerd", "authd"};
constexpr unsigned methods = 24;

// A keystore that was never made: what is asked well is answered "unavailable", and nothing else is ever looked at.
keys::KeyService& service() {
  static keys::KeyService made({.keystore = "/nonexistent/keystore", .region = "eu"},
                               [](const keys::UseRequest&, std::string_view, Milliseconds) -> Result<keys::VerifiedReceipt> {
                                 return Error{ErrorKind::denied, "none"};
                               });
  return made;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const std::string id = "tenant--tenant--";
  const auto asked = [](std::uint8_t role, keys::Method method, const std::string& body) {
    return std::string{static_cast<char>(role), static_cast<char>(method)} + body;
  };
  const std::string four(4, '\0');
  return {
      asked(0, keys::Method::link_key, id + four),
      asked(1, keys::Method::spool_private_keys, id + four),
      asked(1, keys::Method::purpose_key, id + "\7"),
      asked(3, keys::Method::open_ledger_box, id + four + std::string("\0\0\0\1c\0\0\0\1b", 10)),
      asked(4, keys::Method::put_secret, keys::encode(keys::SecretRecord{Id(), Id(), "policy", "box"})),
      asked(6, keys::Method::use, keys::encode(keys::UseRequest{Id(), Id(), "policy", "route.submit", "smtp_plain", "receipt"}))};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view role = roles[data[0] % roles.size()];
  const auto method = static_cast<keys::Method>(data[1] % methods);
  // These two take a passphrase as it is and cost a second each.
  if (method == keys::Method::initialise || method == keys::Method::unseal) return 0;
  keys::KeyDoor door(service());
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto answer = door.answer(role, static_cast<std::uint16_t>(method), body);
  if (!keys::may_call(role, method) && (answer || answer.error().kind != ErrorKind::denied)) std::abort();
  if (answer && method != keys::Method::status) std::abort();  // a keystore that is not there has no keys
  return 0;
}
