#include "core/access/route.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::access {
namespace {

constexpr std::uint8_t table_version = 2;
constexpr std::size_t routes_max = 200'000;
constexpr std::size_t pins_max = 8;
constexpr std::size_t text_bytes_max = 1024;
constexpr std::size_t ca_bytes_max = 64 * 1024;

Status wrong(const char* what) { return Error{ErrorKind::invalid_input, what, what}; }

bool is_short_and_printable(std::string_view text) {
  return text.size() <= text_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7f; });
}

bool is_pin(const std::string& pin) { return pin.size() == 64 && from_hex(pin).has_value(); }

// Whoever `after` takes for the right server, `before` took as well.
bool is_proof_as_strong(const Route& before, const Route& after) {
  if (after.tls < before.tls) return false;
  if (before.pins.empty() && before.ca_file.empty()) return true;
  if (before.pins.empty()) return after.pins.empty() && after.ca_file == before.ca_file && after.name == before.name;
  const auto was_pinned = [&](const std::string& pin) {
    return std::find(before.pins.begin(), before.pins.end(), pin) != before.pins.end();
  };
  return !after.pins.empty() && std::all_of(after.pins.begin(), after.pins.end(), was_pinned);
}

Status check_sign_in(const Route& route) {
  if (!is_sign_in(route.sign_in)) return wrong("no such way to sign in");
  const bool asserts = route.sign_in == SignIn::assertion;
  if (route.sign_in != SignIn::password && route.kind != RouteKind::smtp_auth) return wrong("only an smtp-auth route signs in");
  if (asserts != !route.token_host.empty()) return wrong("a token host goes with client assertions, and they need one");
  if (asserts != !route.user.empty())
    return wrong("a route with client assertions names the mailbox it signs in to; any other has its user in the secret");
  if (!is_short_and_printable(route.token_host) || !is_short_and_printable(route.user))
    return wrong("a token host or user with odd letters");
  if (asserts && (route.token_port == 0 || route.ca_file.empty())) return wrong("the token host is verified by a CA: give one");
  return done();
}

}  // namespace

bool widens(const Route* before, const Route& after) {
  if (before == nullptr) return true;
  const bool is_same_place = before->kind == after.kind && before->host == after.host && before->port == after.port &&
                             before->sign_in == after.sign_in && before->user == after.user &&
                             before->token_host == after.token_host && before->token_port == after.token_port;
  return !is_same_place || !is_proof_as_strong(*before, after);
}

Status check_route(const Route& route) {
  if (route.id.is_none() || route.tenant.is_none()) return wrong("a route needs an id and a tenant");
  if (route.kind < RouteKind::mx || route.kind > RouteKind::smtp_auth) return wrong("no such kind of route");
  if (route.tls < RouteTls::none || route.tls > RouteTls::required) return wrong("no such TLS rule");
  if (route.concurrency < 1 || route.concurrency > 64) return wrong("concurrency goes from 1 to 64");
  if (route.failover == route.id) return wrong("a route cannot fail over to itself");
  if (!is_short_and_printable(route.host) || !is_short_and_printable(route.name))
    return wrong("a host or name no server can have");
  if (route.ca_file.size() > ca_bytes_max) return wrong("the CA's PEM text is too long");
  if (!route.ca_file.empty() && route.ca_file != "system" && !route.ca_file.starts_with("-----BEGIN"))
    return wrong("the CA must be \"system\" or PEM text");
  if (route.pins.size() > pins_max || !std::all_of(route.pins.begin(), route.pins.end(), is_pin)) {
    return wrong("pins are up to 8 SHA-256 values of 64 hex digits");
  }
  RETURN_IF_ERROR(check_sign_in(route));
  if (route.kind == RouteKind::mx) return route.host.empty() ? done() : wrong("an mx route takes its hosts from DNS");
  if (route.host.empty() || route.port == 0) return wrong("the next hop needs a host and a port");
  const bool is_verified = !route.pins.empty() || !route.ca_file.empty();
  if (route.tls_from_start && route.tls != RouteTls::required) return wrong("TLS from the start is TLS required");
  if (route.kind == RouteKind::smtp_auth && (route.tls != RouteTls::required || !is_verified)) {
    return wrong("a route with a credential needs TLS with a pin, or a CA file and a name");
  }
  if (route.kind == RouteKind::relay && route.tls == RouteTls::required && !is_verified) {
    return wrong("required TLS needs a pin, or a CA file and a name");
  }
  return done();
}

const Route* RouteTable::route(const Id& id) const {
  const auto found = std::find_if(routes.begin(), routes.end(), [&](const Route& route) { return route.id == id; });
  return found == routes.end() ? nullptr : &*found;
}

const Route* RouteTable::route_of(const Id& tenant) const {
  const auto found =
      std::find_if(defaults.begin(), defaults.end(), [&](const TenantRoute& entry) { return entry.tenant == tenant; });
  return found == defaults.end() ? nullptr : route(found->route);
}

void write_route(ByteWriter& writer, const Route& route) {
  writer.raw(route.id.bytes())
      .raw(route.tenant.bytes())
      .u8(static_cast<std::uint8_t>(route.kind))
      .text(route.host)
      .u16(route.port);
  writer.u8(static_cast<std::uint8_t>(route.tls)).u8(route.tls_from_start).text(route.name).text(route.ca_file);
  writer.u32(static_cast<std::uint32_t>(route.pins.size()));
  for (const std::string& pin : route.pins) writer.text(pin);
  writer.u32(route.concurrency).raw(route.failover.bytes()).u8(route.paused);
  writer.u8(static_cast<std::uint8_t>(route.sign_in)).text(route.user).text(route.token_host).u16(route.token_port);
}

Result<Route> read_route(ByteReader& reader) {
  Route route;
  route.id = Id::from_bytes(reader.raw(Id::size));
  route.tenant = Id::from_bytes(reader.raw(Id::size));
  route.kind = static_cast<RouteKind>(reader.u8());
  route.host = reader.text();
  route.port = reader.u16();
  route.tls = static_cast<RouteTls>(reader.u8());
  route.tls_from_start = reader.u8() != 0;
  route.name = reader.text();
  route.ca_file = reader.text();
  for (std::uint32_t left = reader.count(4); left > 0; --left) route.pins.emplace_back(reader.text());
  route.concurrency = reader.u32();
  route.failover = Id::from_bytes(reader.raw(Id::size));
  route.paused = reader.u8() != 0;
  if (!reader.rest().empty()) {  // a row of a Mailhold that knew passwords only ends here
    route.sign_in = static_cast<SignIn>(reader.u8());
    route.user = reader.text();
    route.token_host = reader.text();
    route.token_port = reader.u16();
  }
  if (!reader.ok()) return Error{ErrorKind::corrupt, "a route is cut short"};
  if (Status sound = check_route(route); !sound) return Error{ErrorKind::corrupt, "unsound route: " + sound.error().detail};
  return route;
}

std::string write_routes(const RouteTable& table) {
  ByteWriter writer;
  writer.u8(table_version).u64(table.version).u32(static_cast<std::uint32_t>(table.routes.size()));
  for (const Route& route : table.routes) write_route(writer, route);
  writer.u32(static_cast<std::uint32_t>(table.defaults.size()));
  for (const TenantRoute& entry : table.defaults) writer.raw(entry.tenant.bytes()).raw(entry.route.bytes());
  return writer.take();
}

Result<RouteTable> parse_routes(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != table_version) return Error{ErrorKind::corrupt, "a route table of an unknown version"};
  RouteTable table{.version = reader.u64(), .routes = {}, .defaults = {}};
  const std::uint32_t routes = reader.count(64);
  if (routes > routes_max) return Error{ErrorKind::corrupt, "too many routes"};
  for (std::uint32_t i = 0; i < routes; ++i) {
    ASSIGN_OR_RETURN(Route route, read_route(reader));
    table.routes.push_back(std::move(route));
  }
  for (std::uint32_t left = reader.count(2 * Id::size); left > 0; --left) {
    const Id tenant = Id::from_bytes(reader.raw(Id::size));
    table.defaults.push_back({tenant, Id::from_bytes(reader.raw(Id::size))});
  }
  RETURN_IF_ERROR(reader.finish());
  return table;
}

}  // namespace mailhold::access
