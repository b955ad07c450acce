// Broker: what brokerd does. It carries out signed operations on people, routes, connections and secrets, and opens
// sessions on smtp-auth routes and on connections: intent into the ledger, durable, before anything is dialled or used. It never
// sees a secret: authd does TLS and AUTH on the socket that the broker has connected, with keyd's help.
//
// Any thread; a session call waits for the other server, so give it threads.
// Design: docs/flows/use-of-a-secret.md
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/access/approval.h"
#include "core/access/people.h"
#include "core/broker/broker_messages.h"
#include "core/broker/connection_book.h"
#include "core/broker/keeping_book.h"
#include "core/broker/permit_book.h"
#include "core/broker/route_book.h"
#include "core/broker/usage_book.h"
#include "core/keys/key_client.h"
#include "core/ledger/ledger_client.h"
#include "platform/dns/resolver.h"
#include "platform/ipc/client.h"
#include "platform/ipc/server.h"
#include "platform/net/networks.h"

namespace mailhold::broker {

struct BrokerSettings {
  std::string region;
  std::string our_name;            // mailhold.hostname
  net::Networks allowed_networks;  // broker.allowed_networks: private and loopback destinations
};

// A single-use authd process: how it is called, and how it is ended.
struct NewAuthd {
  ipc::OwnedFd channel;
  std::uint32_t process = 0;
};

// What the supervisor does for brokerd.
struct ProcessControl {
  std::function<Result<NewAuthd>()> new_authd;  // from its pool
  std::function<Status(std::uint32_t process)> end_authd;
  std::function<Result<std::string>(const std::string& role)> program_hash;  // SHA-256 of what runs there, in hex
};

class Broker {
 public:
  struct Parts {
    access::People& people;
    RouteBook& routes;
    keys::KeyClient& keys;
    ledger::LedgerClient& ledger;
    dns::Resolver& resolver;
    access::Approvals& approvals;
    ConnectionBook& connections;
    UsageBook& usage;
    KeepingBook& keeping;
    PermitBook& permits;
    ProcessControl processes;
    const Clock& clock;
  };

  Broker(BrokerSettings settings, Parts parts);
  ~Broker();  // waits for nobody: open sessions end with the process

  // Verified, into the ledger, carried out. `box` is the sealed secret of a secret.set. The answer is JSON.
  Result<std::string> apply(const access::SignedOperation& operation, std::string_view box, const Deadline& deadline);

  // A session that is past TLS and AUTH: the gateway's end of the submission channel.
  // denied: the route does not take sessions, or the server refused the name, certificate or credential.
  // unavailable: the ledger, keyd or the destination; nothing was used unless the ledger says so.
  Result<ipc::OwnedFd> open_session(const OpenSession& request, const Deadline& deadline);

  // A session on a connection, for the process of that role: plain bytes of its protocol, signed in already.
  // denied: purpose, worker, suspended, no permit, or the server refused; limit_exceeded: a cap; unsupported: another kind of
  // connection.
  Result<ipc::OwnedFd> open_connection(const OpenConnection& request, const std::string& role, const Deadline& deadline);

  // Methods for gatewayd-out and workerd and verbs for the command line.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  // An operation and what came with it: nothing else changes what people decide.
  struct Signed {
    const access::Operation& operation;
    std::string_view box;            // the sealed secret of a secret.set
    bool has_second_person = false;  // two people have signed it
  };
  Result<std::string> carry_out(const Signed& order, const Deadline& deadline);
  Result<std::string> add_person(const Signed& order, const Deadline& deadline);
  Result<std::string> set_route(const Signed& order, Id route, const Deadline& deadline);
  Result<std::string> carry_out_on_route(const Signed& order, Id route, const Deadline& deadline);
  Result<std::string> carry_out_on_connection(const Signed& order, Id connection, const Deadline& deadline);
  Result<std::string> change_connection(const Signed& order, const access::Connection* before, const access::Connection& after,
                                        const Deadline& deadline);
  Status remove_connection(const access::Connection& connection, const Deadline& deadline);
  Result<bool> needs_second_person(const Signed& order, const Deadline& deadline);
  Result<std::string> wait_for_second_person(const access::Operation& operation, const std::string& shown,
                                             const Deadline& deadline);
  Result<std::string> carry_out_on_keeping(const Signed& order, const Deadline& deadline);
  Result<std::string> approve(const access::Operation& operation, const Deadline& deadline);
  Status take_report(const WorkReport& report, const Deadline& deadline);
  enum class Signatures { one, two };
  Result<std::string> allow(const Signed& order, Signatures signatures, const std::string& name, const std::string& until_name,
                            const Deadline& deadline);
  Result<std::string> allow_export(const Signed& order, const Deadline& deadline);
  Result<std::string> allow_restore(const Signed& order, const Deadline& deadline);
  Result<access::Connection> connection_in(const access::Operation& operation, const std::string& argument,
                                           const Deadline& deadline);
  Result<bool> goes_to_its_own_place(const access::Operation& operation, const access::Connection& writing,
                                     const Deadline& deadline);
  Result<std::string> begin_export(std::string_view hash, const Deadline& deadline);   // the operation's bytes
  Result<std::string> begin_restore(std::string_view hash, const Deadline& deadline);  // the operation's bytes
  Result<access::Operation> permitted(std::string_view type, std::string_view hash, const Deadline& deadline);
  Result<std::string> record_export(const ExportMade& made, const Deadline& deadline);  // the receipt
  Status record_restore(const RestoreMade& made, const Deadline& deadline);
  Result<std::string> remove_secret(const access::Operation& operation, Id subject, const Deadline& deadline);
  Result<std::string> set_secret(const access::Operation& operation, std::string_view box, const Deadline& deadline);
  Result<std::string> answer_connection_verb(const std::string& verb, Id connection, const Deadline& deadline);
  Result<std::string> list_operations(const Deadline& deadline);
  Result<ipc::OwnedFd> answer_open(Method method, const ipc::Call& call, const Deadline& deadline);
  Status check_use(const access::Connection& connection, const OpenConnection& request, const std::string& role,
                   const access::Operation* permit);
  Status check_place(const access::Connection& connection, const OpenConnection& request, const Deadline& deadline);
  bool still_counts(const OpenConnection& request, const access::Connection& opened, const Deadline& deadline);
  void end_sessions(Id connection);
  void end_sessions_of_secret(Id connection);
  Result<std::string> answer_verb(std::string_view json, const Deadline& deadline);
  struct Destination {
    std::string host;
    std::uint16_t port = 0;
    std::string from;  // numeric address that we come from; empty: any
  };
  Result<ipc::OwnedFd> dial(const Destination& destination, std::string& address, const Deadline& deadline);
  Status record(ledger::Entry entry, const Deadline& deadline);
  struct Open;  // a session that is open
  void watch(Open open);
  void serve_meter(Open& open, const std::stop_token& stop);

  const BrokerSettings settings_;
  const Parts parts_;
  std::mutex rules_mutex_;  // held while a connection changes, and while a restore is judged by connections and allowed
  std::mutex mutex_;
  struct Opening;
  std::vector<Opening*> openings_;  // guarded by mutex_; one for each session that is being opened on a connection
  struct Watch;
  std::vector<std::unique_ptr<Watch>> watches_;  // guarded by mutex_; one for each open session
};

}  // namespace mailhold::broker
