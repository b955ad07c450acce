// Connections as JSON: what people say and see of them.
#include <boost/json.hpp>

#include "base/text.h"
#include "core/broker/broker.h"
#include "core/broker/broker_verbs.h"

namespace mailhold::broker {
namespace {

namespace json = boost::json;
using access::Connection;
using access::ConnectionKind;
using access::ConnectionTls;

template <class Value>
struct Named {
  std::string_view name;
  Value value;
};

constexpr Named<ConnectionKind> kinds[] = {{"imap", ConnectionKind::imap},
                                           {"pop3", ConnectionKind::pop3},
                                           {"http", ConnectionKind::http},
                                           {"ldap", ConnectionKind::ldap}};
constexpr Named<ConnectionTls> tls_rules[] = {{"starttls", ConnectionTls::starttls}, {"implicit", ConnectionTls::implicit}};

struct NamedCap {
  std::string_view name;
  std::uint64_t access::Caps::* cap;
};
constexpr NamedCap caps[] = {{"sessions_hour", &access::Caps::sessions_hour}, {"sessions_day", &access::Caps::sessions_day},
                             {"items_hour", &access::Caps::items_hour},       {"items_day", &access::Caps::items_day},
                             {"bytes_hour", &access::Caps::bytes_hour},       {"bytes_day", &access::Caps::bytes_day},
                             {"mailboxes_day", &access::Caps::mailboxes_day}};

template <class Value, std::size_t count>
Status set_named(const Named<Value> (&names)[count], const access::Operation& operation, const std::string& argument,
                 Value& value) {
  if (!operation.arguments.contains(argument)) return done();
  const std::string name = operation.argument_or(argument, "");
  std::string known;
  for (const auto& each : names) {
    if (each.name == name) {
      value = each.value;
      return done();
    }
    known += (known.empty() ? "" : ", ") + std::string(each.name);
  }
  return Error{ErrorKind::invalid_input, argument + " must be one of " + known};
}

template <class Value, std::size_t count>
std::string name_in(const Named<Value> (&names)[count], Value value) {
  for (const auto& each : names) {
    if (each.value == value) return std::string(each.name);
  }
  return "?";
}

Status set_number(const access::Operation& operation, const std::string& argument, std::uint64_t max, std::uint64_t& value) {
  if (!operation.arguments.contains(argument)) return done();
  const auto number = to_number(operation.argument_or(argument, ""));
  if (!number || *number > max)
    return Error{ErrorKind::invalid_input, argument + " must be a number up to " + std::to_string(max)};
  value = *number;
  return done();
}

void set_text(const access::Operation& operation, const std::string& argument, std::string& value) {
  value = operation.argument_or(argument, value);
}

// Lists come line by line: an address or a folder may hold a comma.
void set_list(const access::Operation& operation, const std::string& argument, std::vector<std::string>& values) {
  if (!operation.arguments.contains(argument)) return;
  const std::string text = operation.argument_or(argument, "");
  values.clear();
  for (const auto each : split(text, '\n')) {
    if (!each.empty()) values.emplace_back(each);
  }
}

json::array array_of(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return list;
}

json::object object_of(const Connection& connection) {
  json::object limits;
  for (const NamedCap& each : caps) {
    if (connection.caps.*each.cap > 0) limits[each.name] = connection.caps.*each.cap;
  }
  return {{"connection", connection.id.text()},
          {"tenant", connection.tenant.text()},
          {"kind", name_in(kinds, connection.kind)},
          {"host", connection.host},
          {"port", connection.port},
          {"tls", name_in(tls_rules, connection.tls)},
          {"name", connection.name},
          {"ca", connection.ca.empty()       ? ""
                 : connection.ca == "system" ? "system"
                                             : "own"},
          {"pins", array_of(connection.pins)},
          {"sign_in", std::string(name_of(connection.sign_in))},
          {"custody", std::string(access::custody_of(connection.sign_in))},
          {"user", connection.user},
          {"token_host", connection.token_host},
          {"purposes", array_of(connection.purposes)},
          {"verbs", array_of(connection.verbs)},
          {"mailboxes", array_of(connection.mailboxes)},
          {"caps", limits},
          {"workers", array_of(connection.workers)},
          {"egress", connection.egress},
          {"suspended", connection.suspended}};
}

json::object object_of(const Usage& usage) {
  return {{"sessions", usage.sessions}, {"items", usage.items}, {"bytes", usage.bytes}, {"mailboxes", usage.mailboxes}};
}

}  // namespace

Result<Connection> connection_from(const access::Operation& operation, Id id, const Connection* before) {
  Connection connection = before != nullptr ? *before : Connection();
  connection.id = id;
  connection.tenant = operation.tenant;
  RETURN_IF_ERROR(set_named(kinds, operation, "kind", connection.kind));
  RETURN_IF_ERROR(set_named(tls_rules, operation, "tls", connection.tls));
  if (operation.arguments.contains("sign_in")) {
    ASSIGN_OR_RETURN(connection.sign_in, access::sign_in_named(operation.argument_or("sign_in", "")));
  }
  std::uint64_t port = connection.port, token_port = connection.token_port;
  RETURN_IF_ERROR(set_number(operation, "port", 65535, port));
  RETURN_IF_ERROR(set_number(operation, "token_port", 65535, token_port));
  connection.port = static_cast<std::uint16_t>(port);
  connection.token_port = static_cast<std::uint16_t>(token_port);
  set_text(operation, "host", connection.host);
  set_text(operation, "name", connection.name);
  set_text(operation, "ca", connection.ca);
  set_text(operation, "user", connection.user);
  set_text(operation, "token_host", connection.token_host);
  set_text(operation, "egress", connection.egress);
  set_list(operation, "pins", connection.pins);
  set_list(operation, "purposes", connection.purposes);
  set_list(operation, "verbs", connection.verbs);
  set_list(operation, "mailboxes", connection.mailboxes);
  set_list(operation, "workers", connection.workers);
  for (const NamedCap& each : caps) {
    RETURN_IF_ERROR(set_number(operation, std::string(each.name), INT64_MAX, connection.caps.*each.cap));
  }
  RETURN_IF_ERROR(access::check_connection(connection));
  return connection;
}

std::string json_of(const Connection& connection) { return json::serialize(object_of(connection)); }

std::string json_of_proposal(const std::string& shown, const std::string& hash) {
  json::object proposal = json::parse(shown).as_object();
  proposal["waits_for_second_person"] = to_hex(hash);
  return json::serialize(proposal);
}

Result<std::string> Broker::answer_connection_verb(const std::string& verb, Id id, const Deadline& deadline) {
  if (verb == "connection.list") {
    ASSIGN_OR_RETURN(const std::vector<Connection> connections, parts_.connections.list(deadline));
    json::array list;
    for (const Connection& each : connections) {
      list.push_back({{"connection", each.id.text()},
                      {"tenant", each.tenant.text()},
                      {"kind", name_in(kinds, each.kind)},
                      {"host", each.host},
                      {"port", each.port},
                      {"custody", std::string(access::custody_of(each.sign_in))},
                      {"purposes", array_of(each.purposes)},
                      {"suspended", each.suspended}});
    }
    return json::serialize(json::object{{"connections", list}});
  }
  ASSIGN_OR_RETURN(const Connection connection, parts_.connections.find(id, deadline));
  json::object answer = object_of(connection);
  if (verb == "secret.entry") {
    // What a person needs in order to seal a secret for a connection: for where it is, and keyd's public key.
    ASSIGN_OR_RETURN(const std::string public_key, parts_.keys.secret_public_key(deadline));
    answer["region"] = settings_.region;
    answer["policy"] = to_base64(access::secret_policy_of(connection));
    answer["public_key"] = to_base64(public_key);
    return json::serialize(answer);
  }
  ASSIGN_OR_RETURN(const Usage hour, parts_.usage.of_hour(id, deadline));
  ASSIGN_OR_RETURN(const Usage day, parts_.usage.of_day(id, deadline));
  answer["this_hour"] = object_of(hour);
  answer["today"] = object_of(day);
  return json::serialize(answer);
}

Result<std::string> Broker::list_operations(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<access::Proposal> proposals, parts_.approvals.list(deadline));
  json::array list;
  for (const access::Proposal& proposal : proposals) {
    json::object each{{"operation", to_hex(proposal.hash)},
                      {"tenant", proposal.tenant.text()},
                      {"signer", proposal.signer.text()},
                      {"since", to_iso8601(proposal.at)}};
    const auto bytes = parts_.connections.unseal(proposal.tenant, "proposal " + to_hex(proposal.hash), proposal.sealed, deadline);
    const auto operation = bytes ? access::parse_operation(*bytes) : Result<access::Operation>(bytes.error());
    if (operation) {
      each["type"] = operation->type;
      for (const auto& [name, value] : operation->arguments) each["sets " + name] = value;
    }
    list.push_back(std::move(each));
  }
  return json::serialize(json::object{{"operations", list}});
}

}  // namespace mailhold::broker
