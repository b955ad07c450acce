// What signed operations do.
#include "base/log.h"
#include "base/text.h"
#include "core/broker/broker.h"
#include "core/broker/broker_verbs.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

// What the operation is about: the argument that names it.
std::string subject_of(const access::Operation& operation) {
  if (operation.type.starts_with("person.")) return "person";
  if (operation.type.starts_with("connection.") || operation.arguments.contains("connection")) return "connection";
  return "route";
}

std::string proposal_context(std::string_view hash) { return "proposal " + to_hex(hash); }

}  // namespace

Result<std::string> Broker::carry_out(const Signed& order, const Deadline& deadline) {
  const access::Operation& operation = order.operation;
  if (operation.type == "person.add") return add_person(order, deadline);
  if (operation.type == "operation.approve") return approve(operation, deadline);
  if (operation.type == "secret.set") return set_secret(operation, order.box, deadline);
  if (access::is_about_keeping(operation.type)) return carry_out_on_keeping(order, deadline);
  if (operation.type == "export.allow") return allow_export(order, deadline);
  if (operation.type == restore_permit) return allow_restore(order, deadline);
  ASSIGN_OR_RETURN(const std::string name, operation.argument(subject_of(operation)));
  ASSIGN_OR_RETURN(const Id subject, Id::parse(name));
  if (operation.type == "person.remove") {
    RETURN_IF_ERROR(parts_.people.remove(subject, deadline));
    return std::string("{}");
  }
  if (operation.type == "secret.remove") return remove_secret(operation, subject, deadline);
  if (operation.type.starts_with("route.")) return carry_out_on_route(order, subject, deadline);
  if (operation.type.starts_with("connection.")) return carry_out_on_connection(order, subject, deadline);
  return Error{ErrorKind::invalid_input, "there is no operation " + operation.type};
}

// What was signed in with it ends; mail that is under way over a route is not sent twice for that. Whatever keyd says: the
// secret may be gone though its answer was lost. So whose connection it is, is asked before.
Result<std::string> Broker::remove_secret(const access::Operation& operation, Id subject, const Deadline& deadline) {
  const bool is_of_connection = subject_of(operation) == "connection";
  const bool is_known = is_of_connection && connection_in(operation, "connection", deadline);
  const Status gone = parts_.keys.destroy_secret(operation.tenant, subject, deadline);
  if (is_known || (is_of_connection && gone)) end_sessions_of_secret(subject);
  RETURN_IF_ERROR(gone);
  return std::string("{}");
}

// Whether somebody else could sign it and has not. While there is nobody else, one person is enough.
Result<bool> Broker::needs_second_person(const Signed& order, const Deadline& deadline) {
  if (order.has_second_person) return false;
  ASSIGN_OR_RETURN(const std::vector<access::Person> people, parts_.people.list(deadline));
  return access::has_second_person(people, order.operation);
}

// `shown` is what it would be, as JSON.
Result<std::string> Broker::wait_for_second_person(const access::Operation& operation, const std::string& shown,
                                                   const Deadline& deadline) {
  const std::string bytes = access::encode(operation);
  access::Proposal proposal{crypto::sha256(bytes), operation.tenant, operation.signer, parts_.clock.now(), {}};
  ASSIGN_OR_RETURN(proposal.sealed, parts_.connections.seal(operation.tenant, proposal_context(proposal.hash), bytes, deadline));
  RETURN_IF_ERROR(parts_.approvals.propose(proposal, deadline));
  return json_of_proposal(shown, proposal.hash);
}

// Whoever is added may sign from then on, also as a second person.
Result<std::string> Broker::add_person(const Signed& order, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Person person, access::People::person_of(order.operation));
  ASSIGN_OR_RETURN(const bool waits, needs_second_person(order, deadline));
  if (waits) return wait_for_second_person(order.operation, json_of(person), deadline);
  RETURN_IF_ERROR(parts_.people.add(person, deadline));
  return json_of(person);
}

Result<std::string> Broker::set_route(const Signed& order, Id subject, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Route route, route_from(order.operation, subject));
  ASSIGN_OR_RETURN(const access::RouteTable table, parts_.routes.table(deadline));
  const access::Route* before = table.route(subject);
  if (before != nullptr && before->tenant != route.tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  if (access::widens(before, route)) {
    ASSIGN_OR_RETURN(const bool waits, needs_second_person(order, deadline));
    if (waits) return wait_for_second_person(order.operation, json_of(route, false), deadline);
  }
  RETURN_IF_ERROR(parts_.routes.set(route, deadline));
  return json_of(route, false);
}

Result<std::string> Broker::carry_out_on_route(const Signed& order, Id subject, const Deadline& deadline) {
  const access::Operation& operation = order.operation;
  if (operation.type == "route.set") return set_route(order, subject, deadline);
  if (operation.type == "route.remove") {
    RETURN_IF_ERROR(parts_.routes.remove(operation.tenant, subject, deadline));
    if (const Status gone = parts_.keys.destroy_secret(operation.tenant, subject, deadline);
        !gone && gone.error().kind != ErrorKind::not_found)
      return gone.error();
    return std::string("{}");
  }
  if (operation.type != "route.default") return Error{ErrorKind::invalid_input, "there is no operation " + operation.type};
  RETURN_IF_ERROR(parts_.routes.set_default(operation.tenant, subject, deadline));
  return std::string("{}");
}

Result<std::string> Broker::carry_out_on_connection(const Signed& order, Id subject, const Deadline& deadline) {
  const access::Operation& operation = order.operation;
  // What is open ends before anything waits for keyd, the records or another operation.
  const bool ends = operation.type == "connection.suspend" || operation.type == "connection.remove";
  if (ends && connection_in(operation, "connection", deadline)) end_sessions(subject);
  const std::lock_guard lock(rules_mutex_);
  const auto found = parts_.connections.find(subject, deadline);
  if (!found && found.error().kind != ErrorKind::not_found) return found.error();
  const access::Connection* before = found ? &*found : nullptr;
  if (before != nullptr && before->tenant != operation.tenant)
    return Error{ErrorKind::not_found, "no such connection of this tenant"};
  if (operation.type == "connection.set") {
    ASSIGN_OR_RETURN(const access::Connection after, connection_from(operation, subject, before));
    return change_connection(order, before, after, deadline);
  }
  if (before == nullptr) return Error{ErrorKind::not_found, "no such connection of this tenant"};
  access::Connection after = *before;
  if (operation.type == "connection.suspend" || operation.type == "connection.resume") {
    after.suspended = operation.type == "connection.suspend";
    return change_connection(order, before, after, deadline);
  }
  if (operation.type != "connection.remove") return Error{ErrorKind::invalid_input, "there is no operation " + operation.type};
  RETURN_IF_ERROR(remove_connection(*before, deadline));
  return std::string("{}");
}

// The permits go before the connection does: a removal that fails can be repeated, and whoever makes it anew finds none.
Status Broker::remove_connection(const access::Connection& connection, const Deadline& deadline) {
  const Status gone = parts_.keys.destroy_secret(connection.tenant, connection.id, deadline);
  end_sessions_of_secret(connection.id);
  if (!gone && gone.error().kind != ErrorKind::not_found) return gone.error();
  RETURN_IF_ERROR(parts_.permits.withdraw(connection.id, deadline));
  RETURN_IF_ERROR(parts_.connections.remove(connection.tenant, connection.id, deadline));
  end_sessions(connection.id);
  return done();
}

// Whatever was opened or signed for under other rules ends: what goes on is what is allowed now. So does a restore into a mailbox
// whose connection was suspended all the while and is suspended once more, and what an earlier try of the same change left.
Result<std::string> Broker::change_connection(const Signed& order, const access::Connection* before,
                                              const access::Connection& after, const Deadline& deadline) {
  RETURN_IF_ERROR(access::check_connection(after));
  if (access::widens(before, after)) {
    ASSIGN_OR_RETURN(const bool waits, needs_second_person(order, deadline));
    if (waits) return wait_for_second_person(order.operation, json_of(after), deadline);
  }
  end_sessions(after.id);
  // First, since what was signed for one account must never open another. A suspension takes effect nevertheless.
  const Status withdrawn = parts_.permits.withdraw(after.id, deadline);
  if (!withdrawn && order.operation.type != "connection.suspend") return withdrawn.error();
  RETURN_IF_ERROR(parts_.connections.set(after, deadline));
  end_sessions(after.id);
  if (!withdrawn) return withdrawn.error();
  return json_of(after);
}

// The second signature: the operation of the first person is carried out as it was signed.
Result<std::string> Broker::approve(const access::Operation& operation, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string hex, operation.argument("operation"));
  const auto hash = from_hex(hex);
  if (!hash) return Error{ErrorKind::invalid_input, "operation must be hex"};
  ASSIGN_OR_RETURN(const access::Proposal proposal, parts_.approvals.take(operation.tenant, *hash, operation.signer, deadline));
  ASSIGN_OR_RETURN(const std::string bytes,
                   parts_.connections.unseal(operation.tenant, proposal_context(proposal.hash), proposal.sealed, deadline));
  ASSIGN_OR_RETURN(const access::Operation first, access::parse_operation(bytes));
  // The first signer may have lost that right meanwhile.
  ASSIGN_OR_RETURN(const std::vector<access::Person> people, parts_.people.list(deadline));
  const bool still_may = std::any_of(people.begin(), people.end(), [&](const access::Person& person) {
    return person.id == first.signer && access::may_sign(person, first);
  });
  if (!still_may) return Error{ErrorKind::denied, "the person who signed first may not do that any more"};
  return carry_out({first, {}, true}, deadline);
}

Result<std::string> Broker::set_secret(const access::Operation& operation, std::string_view box, const Deadline& deadline) {
  const std::string argument = subject_of(operation);
  ASSIGN_OR_RETURN(const std::string name, operation.argument(argument));
  ASSIGN_OR_RETURN(const Id subject, Id::parse(name));
  std::string policy;
  bool is_sent_in_each_request = false;
  if (argument == "connection") {
    ASSIGN_OR_RETURN(const access::Connection connection, parts_.connections.find(subject, deadline));
    if (connection.tenant != operation.tenant) return Error{ErrorKind::not_found, "no such connection of this tenant"};
    policy = access::secret_policy_of(connection);
    is_sent_in_each_request = connection.kind == access::ConnectionKind::http;
  } else {
    ASSIGN_OR_RETURN(const access::RouteTable table, parts_.routes.table(deadline));
    const access::Route* route = table.route(subject);
    if (route == nullptr || route->tenant != operation.tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
    policy = policy_of(*route);
  }
  ASSIGN_OR_RETURN(const std::string hash, operation.argument("box_sha256"));
  if (hash != to_hex(crypto::sha256(box)))
    return Error{ErrorKind::invalid_input, "the sealed secret is not the one that was signed for"};
  const auto version = parts_.keys.put_secret({operation.tenant, subject, policy, std::string(box)}, deadline);
  // Whoever goes on opens another session, with the new one. Whatever keyd says: it may be there though its answer was lost.
  if (is_sent_in_each_request) end_sessions_of_secret(subject);
  if (!version) return version.error();
  return "{\"version\":" + std::to_string(*version) + "}";
}

}  // namespace mailhold::broker
