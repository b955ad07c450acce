// Route: where a tenant's mail goes. brokerd owns the table and changes it by signed operations only;
// gatewayd out works with a snapshot. A route holds no secret: an smtp-auth route names the
// connection whose secret authd uses.
//
// Bytes: docs/formats/route.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"
#include "core/access/sign_in.h"

namespace mailhold::access {

enum class RouteKind : std::uint8_t {
  mx = 1,         // by DNS, to the hosts of each recipient's domain (RFC 5321 section 5)
  relay = 2,      // a fixed next hop, no credential
  smtp_auth = 3,  // a fixed next hop with SMTP AUTH: the session is opened by brokerd
};

enum class RouteTls : std::uint8_t { none = 1, opportunistic = 2, required = 3 };

struct Route {
  Id id;
  Id tenant;
  RouteKind kind = RouteKind::mx;
  std::string host;  // name or numeric address of the next hop; empty for mx
  std::uint16_t port = 25;
  RouteTls tls = RouteTls::required;
  bool tls_from_start = false;    // implicit TLS (RFC 8314)
  std::string name;               // the name its certificate must carry; empty: host
  std::string ca_file;            // "system", PEM text, or empty: not verified by authority
  std::vector<std::string> pins;  // SHA-256 of the certificate's public key, 64 hex digits; instead of name and CA
  std::uint32_t concurrency = 4;  // sessions at once, 1..64
  Id failover;                    // the route to try when no session can be opened; none: wait
  bool paused = false;
  SignIn sign_in = SignIn::password;  // of an smtp-auth route
  std::string user;                   // with assertion: the mailbox that XOAUTH2 names; else it stands in the secret
  std::string token_host;             // of the token endpoint, for assertion; verified by the authority of `ca_file`
  std::uint16_t token_port = 443;
  friend bool operator==(const Route&, const Route&) = default;
};

// Whether mail could go to somebody whom `before` would not have given it to (null: there was no route), or a weaker proof of
// who takes it would do. How many sessions at once, which of the tenant's routes comes next and a pause are none of that.
bool widens(const Route* before, const Route& after);

// invalid_input says what is wrong with a route: a host where none may be, TLS required without anything to verify.
Status check_route(const Route& route);

struct TenantRoute {
  Id tenant;
  Id route;  // its default
  friend bool operator==(const TenantRoute&, const TenantRoute&) = default;
};

struct RouteTable {
  std::uint64_t version = 0;          // grows with each change
  std::vector<Route> routes;          // at most 200,000
  std::vector<TenantRoute> defaults;  // at most one for each tenant
  const Route* route(const Id& id) const;
  const Route* route_of(const Id& tenant) const;  // its default, or nothing
};

void write_route(ByteWriter& writer, const Route& route);
Result<Route> read_route(ByteReader& reader);
std::string write_routes(const RouteTable& table);
Result<RouteTable> parse_routes(std::string_view bytes);  // corrupt unless whole, of a known version and each route is sound

}  // namespace mailhold::access
