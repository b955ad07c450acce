// person, route: what takes the signature of a person.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "base/random.h"
#include "base/text.h"
#include "core/access/operation.h"
#include "programs/mailhold/console.h"
#include "programs/mailhold/signing.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

Status new_key(Console& console, const Typed& typed) {
  const std::string path = typed.one("out");
  const Id id = Id::random();
  const SecretText seed = SecretText::random(crypto::ed25519_seed_size);
  ASSIGN_OR_RETURN(const crypto::Ed25519Signer signer, crypto::Ed25519Signer::from_seed(seed.reveal()));
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return Error{ErrorKind::already_exists, path + " cannot be made; an existing key is never overwritten"};
  std::string text = std::string(key_file_head) + "\n" + id.text() + "\n" + to_base64(seed.reveal()) + "\n";
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  wipe(text);
  ::close(file);
  if (!written) return Error{ErrorKind::unavailable, path + " could not be written"};
  console.print(
      json::serialize(json::object{{"person", id.text()}, {"public_key", to_base64(signer.public_key())}, {"key_file", path}}));
  return done();
}

Status add_person(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  return apply(console, typed, "person.add", tenant,
               {{"person", typed.one("person")},
                {"public_key", typed.one("public-key")},
                {"role", typed.has("tenant") ? "administrator" : "operator"}});
}

Status set_route(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  std::map<std::string, std::string> arguments;
  for (const char* name : {"kind", "host", "port", "tls", "name", "pins", "concurrency", "failover", "sign-in", "user",
                           "token-host", "token-port"}) {
    std::string argument = name;
    std::replace(argument.begin(), argument.end(), '-', '_');
    if (typed.has(name)) arguments[argument] = typed.one(name);
  }
  arguments["route"] = typed.has("route") ? typed.one("route") : Id::random().text();
  if (typed.has("tls-from-start")) arguments["tls_from_start"] = "true";
  if (const std::string ca = typed.one("ca"); ca == "system") {
    arguments["ca"] = ca;
  } else if (!ca.empty()) {
    std::ifstream file(ca, std::ios::binary);
    arguments["ca"] = std::string{std::istreambuf_iterator<char>(file), {}};
    if (arguments["ca"].empty()) return Error{ErrorKind::not_found, ca + " cannot be read"};
  }
  return apply(console, typed, "route.set", tenant, std::move(arguments));
}

Status name_route(Console& console, const Typed& typed, const std::string& type) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  return apply(console, typed, type, tenant, {{"route", typed.one("route")}});
}

}  // namespace

std::vector<Command> people_commands() {
  const Option key{"key", "File with your own key; it signs the operation", true};
  const Option tenant{"tenant", "Name or id of the tenant", true};
  const Option route{"route", "Id of the route", true};
  return {
      {"person",
       "new-key",
       "Make a key for yourself; send the public part to an operator",
       {{"out", "File to write, mode 600", true}},
       "mailhold person new-key --out ~/.mailhold.key",
       new_key},
      {"person",
       "add",
       "Let a person act: for a tenant as its administrator, else as operator. The first operator signs for itself",
       {{"person", "The person's id", true},
        {"public-key", "The person's public key", true},
        {"tenant", "Name or id of the tenant"},
        key},
       "mailhold person add --person 4f… --public-key bX… --key ~/.mailhold.key",
       add_person},
      {"person",
       "remove",
       "Take a person's rights away",
       {{"person", "The person's id", true}, key},
       "",
       [](Console& console, const Typed& typed) {
         return apply(console, typed, "person.remove", access::region_tenant(), {{"person", typed.one("person")}});
       }},
      {"person", "list", "Show who may act", {}, "", {}},
      {"route", "list", "Show the routes of all tenants", {}, "", {}},
      {"route",
       "set",
       "Make or change a route. Another destination makes its secret unreadable: it must be entered again",
       {tenant,
        {"route", "Id of the route to change; without it a new one is made"},
        {"kind", "mx, relay or smtp-auth"},
        {"host", "Name or address of the next hop"},
        {"port", "Its port", false, Form::number},
        {"tls", "none, opportunistic or required"},
        {"tls-from-start", "TLS from the first byte on (port 465)", false, Form::flag},
        {"name", "Name that the certificate must carry"},
        {"ca", "system, or a PEM file with the authority to trust"},
        {"pins", "SHA-256 of the public key of its certificate; several separated by commas"},
        {"concurrency", "Sessions at once", false, Form::number},
        {"failover", "Id of the route to take when this one does not answer"},
        {"sign-in", "password, bearer or assertion (XOAUTH2 with a token of the token host)"},
        {"user", "With assertion: the mailbox to sign in to"},
        {"token-host", "Host of the token endpoint, for assertion"},
        {"token-port", "Its port, if not 443", false, Form::number},
        key},
       "mailhold route set --tenant example --kind smtp-auth --host mx.example.com --port 587 --ca system --key ~/.mailhold.key",
       set_route},
      {"route",
       "default",
       "Send a tenant's mail over this route",
       {tenant, route, key},
       "",
       [](Console& console, const Typed& typed) { return name_route(console, typed, "route.default"); }},
      {"route",
       "remove",
       "Remove a route and its secret",
       {tenant, route, key},
       "",
       [](Console& console, const Typed& typed) { return name_route(console, typed, "route.remove"); }},
  };
}

}  // namespace mailhold::cli
