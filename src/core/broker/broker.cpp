#include "core/broker/broker.h"

#include "base/log.h"
#include "base/text.h"
#include "core/broker/broker_verbs.h"
#include "platform/crypto/hash.h"
#include "platform/net/connect.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr auto session_life = 10min;  // a little above what a gateway keeps a session for
constexpr std::size_t addresses_tried_max = 4;

std::string policy_hash(const access::Route& route) { return to_hex(crypto::sha256(policy_of(route))); }

std::vector<std::string> addresses_of(const dns::Answer& four, const dns::Answer& six) {
  std::vector<std::string> addresses;
  for (const dns::Answer* answer : {&four, &six}) {
    for (const dns::Record& record : answer->records) addresses.push_back(dns::address_text(record.value));
  }
  return addresses;
}

}  // namespace

struct Broker::Watch {
  std::atomic<bool> over = false;
  std::jthread thread;
};

Broker::Broker(BrokerSettings settings, Parts parts) : settings_(std::move(settings)), parts_(parts) {}
Broker::~Broker() = default;

Status Broker::record(ledger::Entry entry, const Deadline& deadline) {
  RETURN_IF_ERROR(parts_.ledger.append(entry, deadline));
  return done();
}

Result<std::string> Broker::apply(const access::SignedOperation& signed_operation, std::string_view box,
                                  const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, parts_.people.verify(signed_operation, deadline));
  // The ledger knows of it before it has an effect; an outcome that failed is written down as well.
  ledger::Entry entry{operation.tenant, {}, "operation." + operation.type, {}};
  entry.fields["signer"] = operation.signer.text();
  entry.fields["operation"] = to_hex(crypto::sha256(signed_operation.bytes));
  RETURN_IF_ERROR(record(entry, deadline));
  auto outcome = carry_out(operation, box, deadline);
  if (!outcome) {
    entry.type = "operation.failed";
    entry.fields["kind"] = std::string(name_of(outcome.error().kind));
    RETURN_IF_ERROR(record(entry, deadline));
  }
  return outcome;
}

Result<std::string> Broker::carry_out(const access::Operation& operation, std::string_view box, const Deadline& deadline) {
  if (operation.type == "person.add") {
    ASSIGN_OR_RETURN(const access::Person person, access::People::person_of(operation));
    RETURN_IF_ERROR(parts_.people.add(person, deadline));
    return json_of(person);
  }
  ASSIGN_OR_RETURN(const std::string name, operation.argument(operation.type == "person.remove" ? "person" : "route"));
  ASSIGN_OR_RETURN(const Id subject, Id::parse(name));
  if (operation.type == "person.remove") {
    RETURN_IF_ERROR(parts_.people.remove(subject, deadline));
    return std::string("{}");
  }
  if (operation.type == "route.set") {
    ASSIGN_OR_RETURN(const access::Route route, route_from(operation, subject));
    RETURN_IF_ERROR(parts_.routes.set(route, deadline));
    return json_of(route, false);
  }
  if (operation.type == "route.remove") {
    RETURN_IF_ERROR(parts_.routes.remove(operation.tenant, subject, deadline));
    if (const Status gone = parts_.keys.destroy_secret(operation.tenant, subject, deadline);
        !gone && gone.error().kind != ErrorKind::not_found)
      return gone.error();
    return std::string("{}");
  }
  if (operation.type == "route.default") {
    RETURN_IF_ERROR(parts_.routes.set_default(operation.tenant, subject, deadline));
    return std::string("{}");
  }
  if (operation.type == "secret.remove") {
    RETURN_IF_ERROR(parts_.keys.destroy_secret(operation.tenant, subject, deadline));
    return std::string("{}");
  }
  if (operation.type != "secret.set") return Error{ErrorKind::invalid_input, "there is no operation " + operation.type};
  ASSIGN_OR_RETURN(const access::RouteTable table, parts_.routes.table(deadline));
  const access::Route* route = table.route(subject);
  if (route == nullptr || route->tenant != operation.tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  ASSIGN_OR_RETURN(const std::string hash, operation.argument("box_sha256"));
  if (hash != to_hex(crypto::sha256(box)))
    return Error{ErrorKind::invalid_input, "the sealed secret is not the one that was signed for"};
  ASSIGN_OR_RETURN(const std::uint64_t version,
                   parts_.keys.put_secret({operation.tenant, subject, policy_of(*route), std::string(box)}, deadline));
  return "{\"version\":" + std::to_string(version) + "}";
}

Result<ipc::OwnedFd> Broker::dial(const access::Route& route, std::string& address, const Deadline& deadline) {
  std::vector<std::string> addresses;
  if (dns::parse_address(route.host)) {
    addresses.push_back(route.host);
  } else {
    const dns::Question questions[] = {{route.host, dns::RecordType::a}, {route.host, dns::RecordType::aaaa}};
    const auto answers = parts_.resolver.resolve_all(questions, deadline);
    addresses = addresses_of(answers[0], answers[1]);
    if (addresses.empty()) return Error{ErrorKind::unavailable, "the host of the route has no address now"};
  }
  if (addresses.size() > addresses_tried_max) addresses.resize(addresses_tried_max);
  Error last{ErrorKind::unavailable, "no address could be reached"};
  for (const std::string& each : addresses) {
    // Judged after the name was resolved: what is connected is what was judged.
    if (!settings_.allowed_networks.permit(each)) {
      last =
          Error{ErrorKind::denied, "the destination is a private or special address; broker.allowed_networks does not list it"};
      continue;
    }
    auto socket = net::connect_tcp(each, route.port, deadline);
    if (!socket) {
      last = socket.error();
      continue;
    }
    address = each;
    return ipc::OwnedFd(*socket);
  }
  return last;
}

Result<ipc::OwnedFd> Broker::open_session(const OpenSession& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::RouteTable table, parts_.routes.table(deadline));
  const access::Route* found = table.route(request.route);
  if (found == nullptr || found->tenant != request.tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  access::Route route = *found;
  if (route.kind != access::RouteKind::smtp_auth || route.tls != access::RouteTls::required) {
    return Error{ErrorKind::denied, "sessions with a credential are for smtp-auth routes with TLS"};
  }
  if (route.paused) return Error{ErrorKind::denied, "the route is paused"};

  // Evidence before use: without a durable intent there is no receipt, and without one keyd opens nothing.
  ledger::Entry intent{request.tenant, request.route, std::string(intent_type), {}};
  intent.fields["purpose"] = std::string(submit_purpose);
  intent.fields["policy"] = policy_hash(route);
  intent.fields["job"] = request.job.text();
  intent.fields["host"] = route.host;
  intent.fields["port"] = std::int64_t{route.port};
  ASSIGN_OR_RETURN(const ledger::Receipt receipt, parts_.ledger.append(intent, deadline));

  ledger::Entry outcome{request.tenant, request.route, std::string(outcome_type), {}};
  outcome.fields["job"] = request.job.text();
  const auto failed = [&](const Error& error) -> Result<ipc::OwnedFd> {
    outcome.fields["ok"] = std::int64_t{0};
    outcome.fields["kind"] = std::string(name_of(error.kind));
    if (const Status recorded = record(outcome, deadline); !recorded)
      log_warning("broker", "an outcome could not be recorded: " + std::string(name_of(recorded.error().kind)));
    return error;
  };

  std::string address;
  auto socket = dial(route, address, deadline);
  if (!socket) return failed(socket.error());
  auto authd_end = parts_.new_authd();
  if (!authd_end) return failed(authd_end.error());
  auto pair = ipc::Channel::socket_pair();
  if (!pair) return failed(pair.error());

  const AuthdJob job{route,
                     route.ca_file == "system" ? settings_.system_ca : "",
                     policy_of(route),
                     std::string(submit_purpose),
                     receipt.encode(),
                     settings_.our_name,
                     to_hex(receipt.leaf().bytes())};
  auto authd = std::make_shared<ipc::Client>("authd", std::move(*authd_end));
  const int fds[] = {socket->get(), pair->second.get()};
  const auto opened = authd->call(static_cast<std::uint16_t>(AuthdMethod::session), encode(job), fds, deadline);
  if (!opened) return failed(opened.error());
  outcome.fields["ok"] = std::int64_t{1};
  outcome.fields["address"] = address;
  RETURN_IF_ERROR(record(outcome, deadline));
  watch(std::move(authd), request.tenant, request.route);
  return std::move(pair->first);
}

// Waits for the end of a session and writes down what was sent in it.
void Broker::watch(std::shared_ptr<ipc::Client> authd, Id tenant, Id route) {
  auto watch = std::make_unique<Watch>();
  Watch* raw = watch.get();
  raw->thread = std::jthread([this, raw, authd = std::move(authd), tenant, route](const std::stop_token& stop) {
    const auto ended = authd->call(static_cast<std::uint16_t>(AuthdMethod::finish), {}, Deadline::after(session_life, stop));
    ledger::Entry entry{tenant, route, std::string(end_type), {}};
    Result<SessionReport> report = ended ? parse_session_report(ended->bytes) : Result<SessionReport>(ended.error());
    entry.fields["messages"] = std::int64_t{report ? report->messages : 0};
    entry.fields["bytes"] = static_cast<std::int64_t>(report ? report->bytes : 0);
    entry.fields["end"] = report ? report->end : std::string("lost: ") + std::string(name_of(report.error().kind));
    if (const Status recorded = record(entry, Deadline::after(10s, stop)); !recorded) {
      log_warning("broker", "the end of a session could not be recorded: " + std::string(name_of(recorded.error().kind)));
    }
    raw->over = true;
  });
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [](const auto& each) { return each->over.load(); });
  watches_.push_back(std::move(watch));
}

}  // namespace mailhold::broker
