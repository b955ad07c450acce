#include "features/recover/failure_reasons.h"

namespace mailhold::recover {

std::string reason_without_session(const Error& error) {
  if (error.is_temporary()) return "not reached, and tried again: " + error.detail;
  if (!error.for_peer.empty()) return error.for_peer;
  switch (error.kind) {
    case ErrorKind::limit_exceeded: return "the connection is used up for now: " + error.detail;
    case ErrorKind::corrupt: return "the connection's secret does not open: enter it again (mailhold secret set)";
    case ErrorKind::not_found: return "the connection or its secret is missing: " + error.detail;
    default: return "no session: " + error.detail + "; see mailhold connection check";
  }
}

std::string reason_of_sync(const Error& error) {
  if (error.is_temporary()) return "broken off, and tried again: " + error.detail;
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
  if (error.is_temporary()) return "broken off: " + error.detail + "; run it again";
  if (!error.for_peer.empty() && error.kind == ErrorKind::not_found) return error.for_peer;
  return reason_of_sync(error);
}

}  // namespace mailhold::recover
