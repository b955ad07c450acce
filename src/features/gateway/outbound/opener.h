// Opener: opens sessions for routes: by DNS for mx routes, to the fixed next hop for relay routes, through brokerd
// for smtp-auth routes. Thread-safe. Tries the hosts of a destination in order and
// each of their addresses; private and loopback addresses only where a setting allows them.
//
// Design: docs/flows/delivery.md
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/access/route.h"
#include "core/broker/smtp_session.h"
#include "features/gateway/outbound/session.h"
#include "platform/dns/resolver.h"
#include "platform/net/networks.h"

namespace mailhold::outbound {

struct OutboundSettings {
  std::string our_name = "localhost";              // outbound.name: for EHLO
  net::Networks allowed_networks;                  // outbound.allowed_networks
  std::string ca_file = "system";                  // outbound.ca_file: for relay routes that name none and require TLS
  bool mx_tls_required = false;                    // outbound.mx_tls_required
  std::uint16_t mx_port = 25;                      // outbound.mx_port
  int addresses_max = 10;                          // outbound.addresses_max: tried for one session
  std::chrono::milliseconds connect_time{30'000};  // outbound.connect_seconds: for each address
  broker::SmtpTimes times;
};

// What brokerd does for smtp-auth routes: the channel of a session that authd opens. Filled in by the program.
using OpenThroughBroker =
    std::function<Result<std::shared_ptr<ipc::Channel>>(const Id& tenant, const Id& route, const Deadline&)>;

// Why no session could be opened. `permanent`: the destination says it takes no mail (RFC 7505) or does not exist.
struct OpenFailure {
  bool permanent = false;
  smtp::Reply reply;  // a reply of ours, or the one the server refused the session with
};

class Opener {
 public:
  virtual ~Opener() = default;
  // `domain`: of the recipients; matters for mx routes only. When it fails, `failure` says why.
  virtual Result<std::unique_ptr<Session>> open(const access::Route& route, const std::string& domain, OpenFailure& failure,
                                                const Deadline&) = 0;
};

std::unique_ptr<Opener> make_opener(OutboundSettings settings, std::shared_ptr<dns::Resolver> resolver, OpenThroughBroker broker);

// The hosts that take mail for a domain, best first (RFC 5321 section 5.1): MX by preference, equal ones shuffled; without MX the
// domain itself. Empty with `failure` filled in: null MX, no such domain, or DNS does not answer now.
std::vector<std::string> mail_hosts(const std::string& domain, dns::Resolver& resolver, OpenFailure& failure, const Deadline&);

}  // namespace mailhold::outbound
