// Broker: what brokerd does. It carries out signed operations on people, routes and secrets, and opens
// sessions on smtp-auth routes: intent into the ledger, durable, before anything is dialled or used. It never sees a
// secret: authd does TLS and AUTH on the socket that the broker has connected, with keyd's help.
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

#include "core/access/people.h"
#include "core/broker/broker_messages.h"
#include "core/broker/route_book.h"
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
  std::string system_ca;           // PEM text of the system's trust anchors, read before the sandbox
};

class Broker {
 public:
  struct Parts {
    access::People& people;
    RouteBook& routes;
    keys::KeyClient& keys;
    ledger::LedgerClient& ledger;
    dns::Resolver& resolver;
    std::function<Result<ipc::OwnedFd>()> new_authd;  // the supervisor's pool
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

  // Methods for gatewayd-out and verbs for the command line.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  Result<std::string> carry_out(const access::Operation& operation, std::string_view box, const Deadline& deadline);
  Result<std::string> answer_verb(std::string_view json, const Deadline& deadline);
  Result<ipc::OwnedFd> dial(const access::Route& route, std::string& address, const Deadline& deadline);
  Status record(ledger::Entry entry, const Deadline& deadline);
  void watch(std::shared_ptr<ipc::Client> authd, Id tenant, Id route);

  const BrokerSettings settings_;
  const Parts parts_;
  std::mutex mutex_;
  struct Watch;
  std::vector<std::unique_ptr<Watch>> watches_;  // guarded by mutex_; one for each open session
};

}  // namespace mailhold::broker
