#include "core/broker/broker.h"

#include "base/log.h"
#include "base/text.h"
#include "core/broker/open_session.h"
#include "core/broker/use_policy.h"
#include "platform/crypto/hash.h"
#include "platform/net/connect.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

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

Broker::Broker(BrokerSettings settings, Parts parts) : settings_(std::move(settings)), parts_(std::move(parts)) {}

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
  auto outcome = carry_out({operation, box}, deadline);
  if (!outcome) {
    entry.type = "operation.failed";
    entry.fields["kind"] = std::string(name_of(outcome.error().kind));
    RETURN_IF_ERROR(record(entry, deadline));
  }
  return outcome;
}

Result<ipc::OwnedFd> Broker::dial(const Destination& destination, std::string& address, const Deadline& deadline) {
  std::vector<std::string> addresses;
  if (dns::parse_address(destination.host)) {
    addresses.push_back(destination.host);
  } else {
    const dns::Question questions[] = {{destination.host, dns::RecordType::a}, {destination.host, dns::RecordType::aaaa}};
    const auto answers = parts_.resolver.resolve_all(questions, deadline);
    addresses = addresses_of(answers[0], answers[1]);
    if (addresses.empty()) return Error{ErrorKind::unavailable, "the host has no address now"};
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
    auto socket = net::connect_tcp(each, destination.port, deadline, destination.from);
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
  RETURN_IF_ERROR(check_route_use(found, request.tenant));
  const access::Route& route = *found;

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

  std::string address, token_address;
  auto socket = dial({route.host, route.port, {}}, address, deadline);
  if (!socket) return failed(socket.error());
  ipc::OwnedFd token_socket;
  if (!route.token_host.empty()) {
    auto token = dial({route.token_host, route.token_port, {}}, token_address, deadline);
    if (!token) return failed(token.error());
    token_socket = std::move(*token);
  }
  auto fresh = parts_.processes.new_authd();
  if (!fresh) return failed(fresh.error());
  auto pair = ipc::Channel::socket_pair();
  if (!pair) return failed(pair.error());

  const AuthdJob job{
      route, policy_of(route), std::string(submit_purpose), receipt.encode(), settings_.our_name, to_hex(receipt.leaf().bytes())};
  auto authd = std::make_shared<ipc::Client>("authd", std::move(fresh->channel), ipc::Replies::by_caller);
  std::vector<int> fds{socket->get(), pair->second.get()};
  if (token_socket.is_open()) fds.push_back(token_socket.get());
  const auto opened = authd->call(static_cast<std::uint16_t>(AuthdMethod::session), encode(job), fds, deadline);
  if (!opened) return failed(opened.error());
  outcome.fields["ok"] = std::int64_t{1};
  outcome.fields["address"] = address;
  RETURN_IF_ERROR(record(outcome, deadline));
  watch({std::move(authd), fresh->process, request.tenant, request.route, std::nullopt, {}, {}, 0});
  return std::move(pair->first);
}

}  // namespace mailhold::broker
