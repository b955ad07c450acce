// connection, secret, operation: tenants' accounts at servers, what they may be used for, and the second signature.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/random.h"
#include "base/text.h"
#include "core/keys/use_templates.h"
#include "formats/sealed/box.h"
#include "platform/crypto/hash.h"
#include "programs/mailhold/signing.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

constexpr const char* restoring = "restore.write";

Result<std::string> contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return Error{ErrorKind::not_found, path + " cannot be read"};
  return text;
}

std::string lines_of(const std::vector<std::string>& values) {
  std::string lines;
  for (const std::string& value : values) lines += value + "\n";
  return lines;
}

Status set_connection(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  std::map<std::string, std::string> arguments;
  for (const auto& [name, values] : typed.values) {
    if (name == "tenant" || name == "key" || name == "ca" || name == "connection") continue;
    std::string argument = name;
    std::replace(argument.begin(), argument.end(), '-', '_');
    const bool is_list = name == "purpose" || name == "verb" || name == "mailbox" || name == "worker" || name == "pin";
    arguments[is_list ? argument + (name == "mailbox" ? "es" : "s") : argument] = is_list ? lines_of(values) : values.front();
  }
  arguments["connection"] = typed.has("connection") ? typed.one("connection") : Id::random().text();
  if (const std::string ca = typed.one("ca"); ca == "system") {
    arguments["ca"] = ca;
  } else if (!ca.empty()) {
    ASSIGN_OR_RETURN(arguments["ca"], contents_of(ca));
  }
  return apply(console, typed, "connection.set", tenant, std::move(arguments));
}

Status name_connection(Console& console, const Typed& typed, const std::string& type) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  return apply(console, typed, type, tenant, {{"connection", typed.one("connection")}});
}

Result<SecretText> read_client_key(const Typed& typed) {
  keys::ClientKey key;
  key.client_id = typed.one("user");
  key.audience = typed.one("token-url");
  key.scope = typed.one("scope");
  const auto thumbprint = from_hex(typed.one("certificate-sha256"));
  if (!thumbprint) return Error{ErrorKind::invalid_input, "--certificate-sha256 has 64 hex digits"};
  key.certificate_sha256 = *thumbprint;
  ASSIGN_OR_RETURN(key.private_key, read_secret(typed.one("client-key"), "client key", false));
  return keys::encode_client_key(key);
}

// The secret is sealed here, to keyd, for this destination only; nobody in between can read it.
Status set_secret(Console& console, const Typed& typed) {
  const std::string noun = typed.has("connection") ? "connection" : "route";
  if (typed.has("connection") == typed.has("route"))
    return Error{ErrorKind::invalid_input, "a secret is for one route or one connection"};
  ASSIGN_OR_RETURN(const std::string answer,
                   console.ask(json::serialize(json::object{{"verb", "secret.entry"}, {noun, typed.one(noun)}})));
  const json::object entry = json::parse(answer).as_object();
  const auto text = [&](const char* name) { return std::string(entry.at(name).as_string()); };
  ASSIGN_OR_RETURN(const Id tenant, Id::parse(text("tenant")));
  ASSIGN_OR_RETURN(const Id subject, Id::parse(text(noun.c_str())));
  const std::string policy = from_base64(text("policy")).value_or("");
  std::cerr << "This secret will work for " << text("host") << ":" << entry.at("port").as_int64() << " only.\n";
  SecretText plain;
  if (typed.has("client-key")) {
    ASSIGN_OR_RETURN(plain, read_client_key(typed));
  } else {
    ASSIGN_OR_RETURN(const SecretText password, read_secret(typed.one("password-file"), "password", true));
    ASSIGN_OR_RETURN(plain, keys::encode_password(typed.one("user"), password.reveal()));
  }
  ASSIGN_OR_RETURN(const std::string box,
                   sealed::seal_box(from_base64(text("public_key")).value_or(""),
                                    keys::entry_context(text("region"), tenant, subject, policy), plain.reveal()));
  return apply(console, typed, "secret.set", tenant, {{noun, subject.text()}, {"box_sha256", to_hex(crypto::sha256(box))}},
               {{"box", to_base64(box)}});
}

Status remove_secret(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  const std::string noun = typed.has("connection") ? "connection" : "route";
  return apply(console, typed, "secret.remove", tenant, {{noun, typed.one(noun)}});
}

// workerd must know which protocol to speak.
Status check_connection(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(
      const std::string shown,
      console.ask(json::serialize(json::object{{"verb", "connection.show"}, {"connection", typed.one("connection")}})));
  const json::object connection = json::parse(shown).as_object();
  json::object request{{"verb", "session.check"}, {"connection", typed.one("connection")}, {"kind", connection.at("kind")}};
  const json::array& purposes = connection.at("purposes").as_array();
  const auto first = std::find_if(purposes.begin(), purposes.end(), [](const json::value& each) { return each != restoring; });
  if (typed.one("purpose") == restoring || (!typed.has("purpose") && first == purposes.end()))
    return Error{
        ErrorKind::denied,
        "sessions that write a restore open when one was signed for; `mailhold restore start MAILBOX --dry-run --key FILE` "
        "tries such a connection and writes nothing"};
  request["purpose"] = typed.has("purpose") ? json::value(typed.one("purpose")) : *first;
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer);
  return done();
}

Status approve(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  return apply(console, typed, "operation.approve", tenant, {{"operation", typed.one("operation")}});
}

std::vector<Option> options_of_set(const Option& tenant, const Option& key) {
  return {
      tenant,
      {"connection", "Id of the connection to change; without it a new one is made. What is not said stays as it is"},
      {"kind", "imap, pop3, http or ldap"},
      {"host", "Name or address of the server"},
      {"port", "Its port"},
      {"tls", "implicit (from the first byte) or starttls"},
      {"name", "Name that the certificate must carry, if not the host"},
      {"ca", "system, or a PEM file with the authority to trust"},
      {"pin", "SHA-256 of the public key of its certificate; may be given again", false, Form::values},
      {"sign-in", "password, bearer or assertion"},
      {"user", "The account there; for ldap its DN, for http with assertion the client id"},
      {"token-host", "Host of the token endpoint, for assertion"},
      {"token-port", "Its port, if not 443"},
      {"purpose", "backup.read, restore.write, backup.prove, journal or directory.read; may be given again", false, Form::values},
      {"verb", "For http, such as 'GET /v1.0/users/{mailbox}/messages/**'; may be given again", false, Form::values},
      {"mailbox", "Folder, {mailbox} or base DN that may be reached, or *; may be given again", false, Form::values},
      {"worker", "SHA-256 of a program that may use it; may be given again", false, Form::values},
      {"egress", "Address of this host to come from"},
      {"sessions-hour", "Cap"},
      {"sessions-day", "Cap"},
      {"items-hour", "Cap: messages, entries or requests"},
      {"items-day", "Cap"},
      {"bytes-hour", "Cap"},
      {"bytes-day", "Cap"},
      {"mailboxes-day", "Cap: different mailboxes, for http"},
      key};
}

}  // namespace

std::vector<Command> connection_commands() {
  const Option key{"key", "File with your own key; it signs the operation", true};
  const Option tenant{"tenant", "Name or id of the tenant", true};
  const Option connection{"connection", "Id of the connection", true};
  const auto signed_verb = [&](const char* verb, const char* meaning) {
    return Command{"connection",
                   verb,
                   meaning,
                   {tenant, connection, key},
                   "",
                   [type = std::string("connection.") + verb](Console& console, const Typed& typed) {
                     return name_connection(console, typed, type);
                   }};
  };
  return {
      {"connection", "list", "Show the accounts at servers of all tenants", {}, "", {}},
      {"connection", "show", "Show one with its limits, its custody level and what it has used", {connection}, "", {}},
      {"connection", "set",
       "Make or change one. Whatever widens it waits for a second person; another destination makes its secret unreadable",
       options_of_set(tenant, key),
       "mailhold connection set --tenant example --kind imap --host imap.example.com --port 993 --tls implicit --ca system "
       "--sign-in password --user backup --purpose backup.read --mailbox '*' --key ~/.mailhold.key",
       set_connection},
      signed_verb("suspend", "Refuse every use and end the sessions that run"),
      signed_verb("resume", "Allow its use again; takes a second person"),
      signed_verb("remove", "Remove it and its secret"),
      {"connection",
       "check",
       "Open a session as a worker would, and close it: whether it works",
       {connection, {"purpose", "One of its purposes; without it the first"}},
       "",
       check_connection},
      {"secret",
       "set",
       "Enter the secret of an smtp-auth route or a connection; nobody can read it back",
       {{"route", "Id of the route"},
        {"connection", "Id of the connection"},
        {"user", "User name there; for a client key the client id", true},
        {"password-file", "Read the password from this file instead of the terminal"},
        {"client-key", "PEM file with the RSA key of a client, for assertion"},
        {"certificate-sha256", "SHA-256 of the client's certificate, 64 hex digits"},
        {"token-url", "The token endpoint: https://…"},
        {"scope", "The scope that tokens are asked for"},
        key},
       "mailhold secret set --route 8a… --user mailhold --key ~/.mailhold.key",
       set_secret},
      {"secret",
       "remove",
       "Destroy the secret of a route or a connection",
       {tenant, {"route", "Id of the route"}, {"connection", "Id of the connection"}, key},
       "",
       remove_secret},
      {"operation", "list", "Show what waits for a second person's signature", {}, "", {}},
      {"operation",
       "approve",
       "Sign as the second person: it is carried out as the first has signed it",
       {{"tenant", "Name or id of the tenant; without it, what concerns operators"},
        {"operation", "As operation list names it", true},
        key},
       "mailhold operation approve --tenant example --operation 5f… --key ~/.mailhold.key",
       approve},
  };
}

}  // namespace mailhold::cli
