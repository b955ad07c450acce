#include "core/broker/session_check.h"

#include "platform/net/stream.h"

namespace mailhold::broker {

Result<SessionCheck> check_session(BrokerClient& brokerd, Id connection, const std::string& kind, const std::string& purpose,
                                   const Deadline& deadline) {
  const auto begin = std::chrono::steady_clock::now();
  const Id job = Id::random();
  Result<ipc::OwnedFd> session = Error{ErrorKind::invalid_input, "kind must be imap, pop3, http or ldap"};
  if (kind == "imap") session = brokerd.open_imap_session(connection, purpose, job, deadline);
  if (kind == "pop3") session = brokerd.open_pop3_session(connection, purpose, job, deadline);
  if (kind == "http") session = brokerd.open_http_session(connection, purpose, job, deadline);
  if (kind == "ldap") session = brokerd.open_ldap_session(connection, purpose, job, deadline);
  if (!session) return session.error();
  SessionCheck check;
  // HTTP and LDAP say nothing first: that they are signed in is all there is to know.
  if (kind == "imap" || kind == "pop3") {
    const auto stream = net::stream_over(session->release());
    ASSIGN_OR_RETURN(const std::string greeting, stream->read_some(deadline));
    check.greeting = greeting.substr(0, greeting.find('\r'));
  }
  check.milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  return check;
}

}  // namespace mailhold::broker
