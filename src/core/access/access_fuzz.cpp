// Operations as they come from a console, and tables of routes as they come from brokerd and from the disk: whatever parses
// is written back byte for byte.
#include <cstdint>
#include <cstdlib>

#include "core/access/operation.h"
#include "core/access/route.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  const Id id = Id::from_bytes("tenant--tenant--");
  access::Operation operation{"route.set", id, {{"host", "mx.example"}, {"port", "25"}}, id, 1000, id};
  access::Route route;
  route.id = route.tenant = id;
  route.kind = access::RouteKind::smtp_auth;
  route.host = "mx.example";
  route.pins = {std::string(64, 'a'), std::string(64, 'b')};
  access::Route token = route;
  token.ca_file = "system";
  token.sign_in = access::SignIn::assertion;
  token.user = "relay@example.test";
  token.token_host = "login.example";
  access::Route plain;
  plain.id = plain.tenant = id;
  return {encode(operation), access::write_routes({1, {route, token, plain}, {{id, id}}})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto operation = access::parse_operation(bytes)) {
    if (encode(*operation) != bytes) std::abort();
    if (operation->argument("host") && operation->argument_or("host", "").empty()) std::abort();
  }
  if (const auto table = access::parse_routes(bytes)) {
    const auto again = access::parse_routes(access::write_routes(*table));
    if (!again || again->routes != table->routes || again->defaults != table->defaults) std::abort();
    for (const access::Route& route : table->routes) {
      if (!check_route(route)) std::abort();
    }
  }
  return 0;
}
