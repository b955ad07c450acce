#include "core/broker/use_policy.h"

#include <algorithm>

#include "core/broker/http_rules.h"

namespace mailhold::broker {
namespace {

Error denied(const char* why) { return Error{ErrorKind::denied, why}; }

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// A permit is for writing into one mailbox: over the connection that was signed for, and for nothing else.
bool is_for(const access::Operation& permit, const access::Connection& connection, const OpenConnection& request) {
  return permit.type == restore_permit && permit.tenant == connection.tenant &&
         permit.argument_or("connection", "") == connection.id.text() && request.purpose == restore_purpose;
}

bool is_into_another(const access::Operation& permit) { return !permit.argument_or("into", "").empty(); }

bool says(const access::Operation& permit, const char* name) { return !permit.argument_or(name, "").empty(); }

bool is_same_account(const access::Connection& one, const access::Connection& other) {
  return one.kind == other.kind && one.host == other.host && one.port == other.port && one.name == other.name &&
         one.ca == other.ca && one.pins == other.pins && one.user == other.user && !one.user.empty();
}

// One account may reach the folders or mailboxes of many.
bool reaches_no_more(const access::Connection& one, const access::Connection& other) {
  return contains(other.mailboxes, "*") || std::all_of(one.mailboxes.begin(), one.mailboxes.end(),
                                                       [&](const auto& mailbox) { return contains(other.mailboxes, mailbox); });
}

}  // namespace

bool may_call(std::string_view role, Method method) {
  switch (method) {
    case Method::open_session:
    case Method::routes: return role == "gatewayd-out";
    case Method::open_connection:
    case Method::keeping:
    case Method::report:
    case Method::begin_export:
    case Method::record_export:
    case Method::begin_restore:
    case Method::record_restore: return role == "workerd";
  }
  return false;
}

Status check_route_use(const access::Route* route, Id tenant) {
  if (route == nullptr || route->tenant != tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  if (route->kind != access::RouteKind::smtp_auth || route->tls != access::RouteTls::required)
    return denied("sessions with a credential are for smtp-auth routes with TLS");
  if (route->paused) return denied("the route is paused");
  return done();
}

Status check_connection_use(const access::Connection& connection, const OpenConnection& request, std::string_view program,
                            const access::Operation* permit) {
  if (connection.kind != request.kind) return Error{ErrorKind::unsupported, "the connection is of another kind"};
  if (!request.tenant.is_none() && request.tenant != connection.tenant) return denied("the connection is of another tenant");
  if (permit != nullptr && !is_for(*permit, connection, request)) return denied("what was signed for is something else");
  // Who signed for another mailbox knew of the suspension, and suspending it once more withdraws the permit. To end a suspension
  // takes two people, so what one has signed does not.
  if (connection.suspended && (permit == nullptr || !is_into_another(*permit)))
    return denied("the connection is suspended: mailhold connection resume, which takes a second person");
  if (!contains(connection.purposes, request.purpose)) return denied("the connection is not for this purpose");
  if (request.purpose == restore_purpose && permit == nullptr)
    return denied("restore.write takes a permit: each restore is signed for (mailhold restore start)");
  if (!connection.workers.empty() && !contains(connection.workers, program))
    return denied("the program that asks is not one of the connection's workers");
  return done();
}

std::string purpose_of_session(const OpenConnection& request, const access::Operation* permit) {
  if (permit != nullptr && says(*permit, "dry_run")) return "backup.read";
  if (permit != nullptr && request.purpose == restore_purpose && writes_over(*permit, request.kind))
    return std::string(overwrite_purpose);
  return request.purpose;
}

bool writes_over(const access::Operation& restore, access::ConnectionKind kind) {
  return says(restore, "overwrite") && !says(restore, "dry_run") && kind == access::ConnectionKind::http;
}

bool is_own_place(const access::Connection& reading, const access::Connection& writing) {
  if (reading.tenant != writing.tenant || !contains(reading.purposes, "backup.read")) return false;
  if (reading.id != writing.id && !(is_same_account(reading, writing) && reaches_no_more(writing, reading))) return false;
  // What has no {mailbox} in its path is scoped by nothing else.
  return writing.kind != access::ConnectionKind::http || writes_where_it_reads(reading.verbs, writing.verbs);
}

std::string written_mailbox(const access::Operation& restore) {
  return restore.argument_or("into", restore.argument_or("mailbox", ""));
}

Status check_caps(const access::Caps& caps, const Usage& in_hour, const Usage& in_day) {
  const struct {
    const char* name;
    std::uint64_t cap, used;
  } each_cap[] = {{"sessions_hour", caps.sessions_hour, in_hour.sessions}, {"sessions_day", caps.sessions_day, in_day.sessions},
                  {"items_hour", caps.items_hour, in_hour.items},          {"items_day", caps.items_day, in_day.items},
                  {"bytes_hour", caps.bytes_hour, in_hour.bytes},          {"bytes_day", caps.bytes_day, in_day.bytes}};
  for (const auto& [name, cap, used] : each_cap) {
    if (left_of(cap, used) == 0)
      return Error{ErrorKind::limit_exceeded, std::string("the connection has reached its cap ") + name};
  }
  return done();
}

std::uint64_t left_of(std::uint64_t cap, std::uint64_t used) { return cap == 0 ? UINT64_MAX : cap > used ? cap - used : 0; }

}  // namespace mailhold::broker
