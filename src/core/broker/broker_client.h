// BrokerClient: what gatewayd-out and workerd ask of brokerd. Any thread.
#pragma once

#include <memory>
#include <string_view>

#include "core/access/connection.h"
#include "core/access/keeping.h"
#include "core/access/route.h"
#include "core/broker/broker_messages.h"
#include "platform/ipc/channel.h"
#include "platform/ipc/client.h"

namespace mailhold::broker {

class BrokerClient {
 public:
  explicit BrokerClient(std::shared_ptr<ipc::Client> brokerd) : brokerd_(std::move(brokerd)) {}

  Result<access::RouteTable> routes(const Deadline& deadline);

  // workerd: what must be kept of a tenant's backups, and the ledger's word of what was done. Errors: unavailable, corrupt.
  Result<access::Keeping> keeping(Id tenant, const Deadline& deadline);
  Status report(const WorkReport& report, const Deadline& deadline);
  // workerd: acts upon an export that was allowed. `operation` is its SHA-256; not_found: none, or its time is over.
  Result<access::Operation> begin_export(std::string_view operation, const Deadline& deadline);
  // The encoded receipt of what it came to.
  Result<std::string> record_export(const ExportMade& made, const Deadline& deadline);

  // The same for a restore.
  Result<access::Operation> begin_restore(std::string_view operation, const Deadline& deadline);
  Status record_restore(const RestoreMade& made, const Deadline& deadline);

  // The channel of submission_messages.h to an authd that is past TLS and AUTH. Errors as Broker::open_session.
  Result<std::shared_ptr<ipc::Channel>> open_session(Id tenant, Id route, Id job, const Deadline& deadline);

  // A session with the server of a connection: a socket that speaks its protocol, signed in already, with nothing secret on
  // it. `purpose` is one of access::known_purposes, `job` names in the ledger what it is for. The session ends when the socket
  // is closed, a cap is reached, the connection is suspended or changed, or after four hours.
  //   imap  begins with "* PREAUTH"        pop3  begins with "+OK", in the transaction state
  //   http  takes HTTP/1.1 requests without Authorization        ldap  is bound already (ldap_init_fd, LDAP_PROTO_TCP)
  // denied: purpose, program, permit, suspended, the server is not who it must be or refused the credential; limit_exceeded: a
  // cap; unsupported: the connection is of another kind; not_found; unavailable: the ledger, keyd or the server. `tenant`, if
  // given, is whose data the session will carry: denied for a connection of another one. `permit` is the SHA-256 of the operation
  // by which this use was signed for, which restore.write takes; denied: it counts no more, or is for something else. `written`,
  // if given, is another connection: denied unless this one reads the account and the folders that that one writes to.
  Result<ipc::OwnedFd> open_imap_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline,
                                         Id tenant = {}, std::string_view permit = {}, Id written = {});
  Result<ipc::OwnedFd> open_pop3_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline);
  Result<ipc::OwnedFd> open_http_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline,
                                         Id tenant = {}, std::string_view permit = {}, Id written = {});
  Result<ipc::OwnedFd> open_ldap_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline);

 private:
  Result<ipc::OwnedFd> open(const OpenConnection& request, const Deadline& deadline);
  std::shared_ptr<ipc::Client> brokerd_;
};

}  // namespace mailhold::broker
