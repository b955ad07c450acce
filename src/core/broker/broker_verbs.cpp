#include "core/broker/broker_verbs.h"

#include <boost/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "core/broker/broker.h"
#include "core/broker/use_policy.h"
#include "platform/ipc/messages.h"

namespace mailhold::broker {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::pair<std::string_view, access::RouteKind> kinds[] = {
    {"mx", access::RouteKind::mx}, {"relay", access::RouteKind::relay}, {"smtp-auth", access::RouteKind::smtp_auth}};
constexpr std::pair<std::string_view, access::RouteTls> tls_rules[] = {{"none", access::RouteTls::none},
                                                                       {"opportunistic", access::RouteTls::opportunistic},
                                                                       {"required", access::RouteTls::required}};

template <class Value, std::size_t count>
Result<Value> named(const std::pair<std::string_view, Value> (&names)[count], const std::string& name, const std::string& what) {
  std::string known;
  for (const auto& [each, value] : names) {
    if (each == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(each);
  }
  return Error{ErrorKind::invalid_input, what + " must be one of " + known};
}

template <class Value, std::size_t count>
std::string name_in(const std::pair<std::string_view, Value> (&names)[count], Value value) {
  for (const auto& [each, known] : names) {
    if (known == value) return std::string(each);
  }
  return "?";
}

json::object object_of(const access::Person& person) {
  return {{"person", person.id.text()},
          {"role", std::string(name_of(person.role))},
          {"public_key", to_base64(person.public_key)},
          {"tenant", person.tenant == access::region_tenant() ? "" : person.tenant.text()},
          {"since", to_iso8601(person.since)}};
}

json::object object_of(const access::Route& route, bool is_default) {
  json::array pins;
  for (const auto& pin : route.pins) pins.emplace_back(pin);
  return {{"route", route.id.text()},
          {"tenant", route.tenant.text()},
          {"kind", name_in(kinds, route.kind)},
          {"host", route.host},
          {"port", route.port},
          {"tls", name_in(tls_rules, route.tls)},
          {"tls_from_start", route.tls_from_start},
          {"name", route.name},
          {"ca", route.ca_file.empty()       ? ""
                 : route.ca_file == "system" ? "system"
                                             : "own"},
          {"pins", pins},
          {"concurrency", route.concurrency},
          {"failover", route.failover.is_none() ? "" : route.failover.text()},
          {"paused", route.paused},
          {"sign_in", route.kind == access::RouteKind::smtp_auth ? std::string(name_of(route.sign_in)) : ""},
          {"custody", route.kind == access::RouteKind::smtp_auth ? std::string(custody_of(route.sign_in)) : ""},
          {"user", route.user},
          {"token_host", route.token_host},
          {"default", is_default}};
}

Result<std::string> field(const json::object& request, std::string_view name) {
  const json::value* found = request.if_contains(name);
  if (found == nullptr || !found->is_string()) return Error{ErrorKind::invalid_input, "the request needs " + std::string(name)};
  return std::string(found->as_string());
}

Result<std::string> decoded_field(const json::object& request, std::string_view name) {
  ASSIGN_OR_RETURN(const std::string text, field(request, name));
  const auto bytes = from_base64(text);
  if (!bytes) return Error{ErrorKind::invalid_input, std::string(name) + " must be base64"};
  return *bytes;
}

}  // namespace

Result<access::Route> route_from(const access::Operation& operation, Id id) {
  access::Route route;
  route.id = id;
  route.tenant = operation.tenant;
  ASSIGN_OR_RETURN(route.kind, named(kinds, operation.argument_or("kind", "mx"), "kind"));
  route.host = operation.argument_or("host", "");
  const auto port = to_number(operation.argument_or("port", "25"));
  if (!port || *port == 0 || *port > 65535) return Error{ErrorKind::invalid_input, "port must be between 1 and 65535"};
  route.port = static_cast<std::uint16_t>(*port);
  ASSIGN_OR_RETURN(route.tls, named(tls_rules, operation.argument_or("tls", "required"), "tls"));
  route.tls_from_start = operation.argument_or("tls_from_start", "false") == "true";
  route.name = operation.argument_or("name", "");
  route.ca_file = operation.argument_or("ca", "");
  const std::string pins = operation.argument_or("pins", "");  // outlives its pieces
  for (const auto pin : split(pins, ',')) {
    if (!pin.empty()) route.pins.emplace_back(pin);
  }
  const auto concurrency = to_number(operation.argument_or("concurrency", "4"));
  if (!concurrency) return Error{ErrorKind::invalid_input, "concurrency must be a number"};
  route.concurrency = static_cast<std::uint32_t>(std::min<std::uint64_t>(*concurrency, 1000));
  if (const std::string failover = operation.argument_or("failover", ""); !failover.empty()) {
    ASSIGN_OR_RETURN(route.failover, Id::parse(failover));
  }
  route.paused = operation.argument_or("paused", "false") == "true";
  ASSIGN_OR_RETURN(route.sign_in, access::sign_in_named(operation.argument_or("sign_in", "password")));
  route.user = operation.argument_or("user", "");
  route.token_host = operation.argument_or("token_host", "");
  const auto token_port = to_number(operation.argument_or("token_port", "443"));
  if (!token_port || *token_port == 0 || *token_port > 65535)
    return Error{ErrorKind::invalid_input, "token_port must be between 1 and 65535"};
  route.token_port = static_cast<std::uint16_t>(*token_port);
  RETURN_IF_ERROR(access::check_route(route));
  return route;
}

std::string json_of(const access::Person& person) { return json::serialize(object_of(person)); }
std::string json_of(const access::Route& route, bool is_default) { return json::serialize(object_of(route, is_default)); }

Result<std::string> Broker::answer_verb(std::string_view text, const Deadline& deadline) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return Error{ErrorKind::invalid_input, "the request is no JSON object"};
  const json::object& request = parsed.as_object();
  ASSIGN_OR_RETURN(const std::string verb, field(request, "verb"));
  if (verb == "operation.apply") {
    access::SignedOperation operation;
    ASSIGN_OR_RETURN(operation.bytes, decoded_field(request, "operation"));
    ASSIGN_OR_RETURN(operation.signature, decoded_field(request, "signature"));
    std::string box;
    if (request.contains("box")) {
      ASSIGN_OR_RETURN(box, decoded_field(request, "box"));
    }
    return apply(operation, box, deadline);
  }
  if (verb == "person.list") {
    ASSIGN_OR_RETURN(const auto people, parts_.people.list(deadline));
    json::array list;
    for (const auto& person : people) list.push_back(object_of(person));
    return json::serialize(json::object{{"people", list}});
  }
  if (verb == "operation.list") return list_operations(deadline);
  if (verb == "connection.list") return answer_connection_verb(verb, {}, deadline);
  if (verb == "connection.show" || (verb == "secret.entry" && request.contains("connection"))) {
    ASSIGN_OR_RETURN(const std::string id, field(request, "connection"));
    ASSIGN_OR_RETURN(const Id connection, Id::parse(id));
    return answer_connection_verb(verb, connection, deadline);
  }
  ASSIGN_OR_RETURN(const access::RouteTable table, parts_.routes.table(deadline));
  if (verb == "route.list") {
    json::array list;
    for (const auto& route : table.routes) {
      const access::Route* chosen = table.route_of(route.tenant);
      list.push_back(object_of(route, chosen != nullptr && chosen->id == route.id));
    }
    return json::serialize(json::object{{"routes", list}});
  }
  // What a person needs in order to seal a secret for a route: for where it is, and keyd's public key.
  if (verb == "secret.entry") {
    ASSIGN_OR_RETURN(const std::string id, field(request, "route"));
    ASSIGN_OR_RETURN(const Id route_id, Id::parse(id));
    const access::Route* route = table.route(route_id);
    if (route == nullptr) return Error{ErrorKind::not_found, "no such route"};
    ASSIGN_OR_RETURN(const std::string public_key, parts_.keys.secret_public_key(deadline));
    json::object answer = object_of(*route, false);
    answer["region"] = settings_.region;
    answer["policy"] = to_base64(policy_of(*route));
    answer["public_key"] = to_base64(public_key);
    return json::serialize(answer);
  }
  return Error{ErrorKind::not_found, "there is no verb " + verb};
}

void Broker::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->method() == ipc::method_api && call->peer == "apid")
    return call->answer(answer_verb(call->body(), Deadline::after(30s)));
  const Method method = static_cast<Method>(call->method());
  if (!may_call(call->peer, method)) {
    log_warning("broker", call->peer + " asked for what it may not have");
    return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
  }
  if (method == Method::routes) {
    const auto table = parts_.routes.table(Deadline::after(10s));
    return table ? call->reply(access::write_routes(*table)) : call->fail(table.error());
  }
  if (method == Method::keeping) {
    const auto keeping = parts_.keeping.of(Id::from_bytes(call->body()), Deadline::after(10s));
    return keeping ? call->reply(access::write_keeping(*keeping)) : call->fail(keeping.error());
  }
  if (method == Method::report) {
    const auto report = parse_work_report(call->body());
    return call->answer(report ? take_report(*report, Deadline::after(30s)) : Status(report.error()));
  }
  if (method == Method::begin_export) return call->answer(begin_export(call->body(), Deadline::after(30s)));
  if (method == Method::record_export) {
    const auto made = parse_export_made(call->body());
    return call->answer(made ? record_export(*made, Deadline::after(30s)) : Result<std::string>(made.error()));
  }
  if (method == Method::begin_restore) return call->answer(begin_restore(call->body(), Deadline::after(30s)));
  if (method == Method::record_restore) {
    const auto made = parse_restore_made(call->body());
    return call->answer(made ? record_restore(*made, Deadline::after(30s)) : Status(made.error()));
  }
  const auto session = answer_open(method, *call, Deadline::after(120s));
  if (!session) return call->fail(session.error());
  const int fds[] = {session->get()};
  call->reply({}, fds);
}

Result<ipc::OwnedFd> Broker::answer_open(Method method, const ipc::Call& call, const Deadline& deadline) {
  if (method == Method::open_session) {
    ASSIGN_OR_RETURN(const OpenSession request, parse_open_session(call.body()));
    return open_session(request, deadline);
  }
  ASSIGN_OR_RETURN(const OpenConnection request, parse_open_connection(call.body()));
  return open_connection(request, call.peer, deadline);
}

}  // namespace mailhold::broker
