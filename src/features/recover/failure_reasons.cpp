#include "features/recover/failure_reasons.h"

#include "base/clock.h"
#include "core/broker/broker_client.h"

namespace mailhold::recover {
namespace {

constexpr std::size_t said_bytes_max = 200;

std::string said_by_server(const Error& error) {
  return error.for_peer.empty() ? "" : " (\"" + error.for_peer.substr(0, said_bytes_max) + "\")";
}

}  // namespace

std::string reason_without_session(const Error& error) {
  if (error.is_temporary()) return "not reached: " + error.detail;
  if (!error.for_peer.empty()) return error.for_peer;
  if (broker::is_refused_credential(error)) return "no session: " + error.detail + ": enter it again (mailhold secret set)";
  switch (error.kind) {
    case ErrorKind::limit_exceeded: return "the connection is used up for now: " + error.detail;
    case ErrorKind::corrupt: return "the connection's secret does not open: enter it again (mailhold secret set)";
    case ErrorKind::not_found:
      return "the connection or its secret is missing: " + error.detail + "; enter it again (mailhold secret set)";
    default: return "no session: " + error.detail + "; see mailhold connection check";
  }
}

std::string reason_of_sync(const Error& error) {
  if (error.is_temporary()) return "broken off: " + error.detail + said_by_server(error);
  if (!error.for_peer.empty()) return error.for_peer;
  switch (error.kind) {
    case ErrorKind::denied: return "the server refuses to be read: check the permissions of the connection's account";
    case ErrorKind::not_found: return "a folder is gone: run the backup again";
    case ErrorKind::corrupt: return "the server breaks its protocol: " + error.detail;
    case ErrorKind::limit_exceeded: return "a limit was reached: " + error.detail;
    case ErrorKind::unsupported: return "not supported: " + error.detail;
    default: return {};
  }
}

std::string reason_of_restore(const Error& error) {
  if (error.is_temporary()) return error.detail + said_by_server(error);
  if (!error.for_peer.empty() && error.kind == ErrorKind::not_found) return error.for_peer;
  return reason_of_sync(error);
}

std::string how_to_sign_again(const RestoreRequest& request) {
  return std::string("sign for it again with mailhold restore ") + (request.into.is_none() ? "start" : "allow") + " --at " +
         to_iso8601(request.as_of) + ": it adds only what is missing";
}

}  // namespace mailhold::recover
