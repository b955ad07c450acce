#include "features/gateway/outbound/opener.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/log.h"
#include "features/gateway/outbound/direct_session.h"
#include "platform/net/connect.h"

namespace mailhold::outbound {
namespace {

constexpr std::size_t tls_clients_max = 1024;

Deadline within(const Deadline& deadline, std::chrono::milliseconds limit) {
  return {std::min(deadline.at, std::chrono::steady_clock::now() + limit), deadline.stop};
}

smtp::TlsRule tls_rule(access::RouteTls tls) {
  switch (tls) {
    case access::RouteTls::none: return smtp::TlsRule::none;
    case access::RouteTls::opportunistic: return smtp::TlsRule::opportunistic;
    case access::RouteTls::required: break;
  }
  return smtp::TlsRule::required;
}

// How to talk to the hosts of one destination.
struct Manner {
  std::uint16_t port = 25;
  smtp::TlsRule tls = smtp::TlsRule::opportunistic;
  bool tls_from_start = false;
  net::TlsPeer peer;
};

class RouteOpener final : public Opener {
 public:
  RouteOpener(OutboundSettings settings, std::shared_ptr<dns::Resolver> resolver, OpenThroughBroker broker)
      : settings_(std::move(settings)), resolver_(std::move(resolver)), broker_(std::move(broker)) {}

  Result<std::unique_ptr<Session>> open(const access::Route& route, const std::string& domain, OpenFailure& failure,
                                        const Deadline& deadline) override {
    failure = {false, smtp::reply(451, "4.4.1", "no host of the destination could be reached")};
    switch (route.kind) {
      case access::RouteKind::mx: return open_mx(domain, failure, deadline);
      case access::RouteKind::relay: return open_relay(route, failure, deadline);
      case access::RouteKind::smtp_auth: break;
    }
    return open_through_broker(route, failure, deadline);
  }

 private:
  Result<std::unique_ptr<Session>> open_mx(const std::string& domain, OpenFailure& failure, const Deadline& deadline) {
    const std::vector<std::string> hosts = mail_hosts(domain, *resolver_, failure, deadline);
    int addresses_left = settings_.addresses_max;
    for (const std::string& host : hosts) {
      if (host == settings_.our_name) {  // we are one of them: only better ones may be tried, RFC 5321 section 5.1
        if (host == hosts.front()) failure = {true, smtp::reply(554, "5.4.6", "the mail would loop back to us")};
        break;
      }
      const Manner manner{.port = settings_.mx_port,
                          .tls = settings_.mx_tls_required ? smtp::TlsRule::required : smtp::TlsRule::opportunistic,
                          .tls_from_start = false,
                          .peer = {.name = host, .ca_file = {}, .pins = {}}};
      Result<std::unique_ptr<Session>> session = open_host(host, manner, addresses_left, failure, deadline);
      if (session) return session;
    }
    return Error{ErrorKind::unavailable, "no mail host of the domain takes a session"};
  }

  Result<std::unique_ptr<Session>> open_relay(const access::Route& route, OpenFailure& failure, const Deadline& deadline) {
    Manner manner{.port = route.port,
                  .tls = tls_rule(route.tls),
                  .tls_from_start = route.tls_from_start,
                  .peer = {.name = route.name.empty() ? route.host : route.name, .ca_file = route.ca_file, .pins = route.pins}};
    if (manner.tls == smtp::TlsRule::required && manner.peer.pins.empty() && manner.peer.ca_file.empty()) {
      manner.peer.ca_file = settings_.ca_file;
    }
    int addresses_left = settings_.addresses_max;
    return open_host(route.host, manner, addresses_left, failure, deadline);
  }

  Result<std::unique_ptr<Session>> open_through_broker(const access::Route& route, OpenFailure& failure,
                                                       const Deadline& deadline) {
    Result<std::shared_ptr<ipc::Channel>> channel =
        broker_ ? broker_(route.tenant, route.id, deadline) : Error{ErrorKind::unsupported, "no broker here"};
    const std::string peer = route.host + ":" + std::to_string(route.port);
    Result<std::unique_ptr<Session>> session =
        channel ? open_broker_session(std::move(*channel), peer, deadline) : std::move(channel.error());
    if (!session) failure = {false, smtp::reply(451, "4.7.0", "no session through the broker: " + session.error().detail)};
    return session;
  }

  std::vector<std::string> addresses_of(const std::string& host, OpenFailure& failure, const Deadline& deadline) {
    if (dns::parse_address(host)) return {host};
    const dns::Question questions[] = {{host, dns::RecordType::a}, {host, dns::RecordType::aaaa}};
    std::vector<std::string> addresses;
    for (const dns::Answer& answer : resolver_->resolve_all(questions, deadline)) {
      if (answer.is_temporary_failure())
        failure = {false, smtp::reply(451, "4.4.3", "DNS does not answer for a host of the destination")};
      for (const dns::Record& record : answer.records) addresses.push_back(dns::address_text(record.value));
    }
    return addresses;
  }

  Result<std::unique_ptr<Session>> open_host(const std::string& host, const Manner& manner, int& addresses_left,
                                             OpenFailure& failure, const Deadline& deadline) {
    for (const std::string& ip : addresses_of(host, failure, deadline)) {
      if (addresses_left-- <= 0) break;
      if (!settings_.allowed_networks.permit(ip)) {
        failure = {false, smtp::reply(451, "4.7.1",
                                      "the destination has a private address that outbound.allowed_networks does not list")};
        continue;
      }
      Result<std::unique_ptr<Session>> session = open_address(host, ip, manner, failure, deadline);
      if (session) return session;
      if (deadline.left().count() == 0 || deadline.stop.stop_requested()) break;
    }
    return Error{ErrorKind::unavailable, "no address of the host takes a session"};
  }

  Result<std::unique_ptr<Session>> open_address(const std::string& host, const std::string& ip, const Manner& manner,
                                                OpenFailure& failure, const Deadline& deadline) {
    std::optional<smtp::Reply> refusal;
    Result<std::unique_ptr<Session>> session = try_address(host, ip, manner, refusal, deadline);
    // Opportunistic TLS protects from listeners only: a handshake that fails is no reason not to deliver (RFC 7435 section 3).
    if (!session && !refusal && manner.tls == smtp::TlsRule::opportunistic &&
        session.error().detail.starts_with("TLS handshake")) {
      Manner clear = manner;
      clear.tls = smtp::TlsRule::none;
      session = try_address(host, ip, clear, refusal, deadline);
    }
    if (session) return session;
    if (refusal)
      failure = {false, *refusal};
    else
      failure = {false, smtp::reply(451, "4.4.1", session.error().detail.substr(0, 200))};
    return session;
  }

  Result<std::unique_ptr<Session>> try_address(const std::string& host, const std::string& ip, const Manner& manner,
                                               std::optional<smtp::Reply>& refusal, const Deadline& deadline) {
    std::shared_ptr<net::TlsClient> tls;
    if (manner.tls != smtp::TlsRule::none) {
      ASSIGN_OR_RETURN(tls, tls_client(manner.peer));
    }
    ASSIGN_OR_RETURN(const int socket, net::connect_tcp(ip, manner.port, within(deadline, settings_.connect_time)));
    smtp::ClientSettings settings{
        .our_name = settings_.our_name, .tls = manner.tls, .tls_is_on = manner.tls_from_start, .authenticate = {}};
    ASSIGN_OR_RETURN(auto session, broker::SmtpSession::open(net::stream_over(socket), std::move(tls), std::move(settings),
                                                             settings_.times, deadline, &refusal));
    return direct_session(std::move(session), host + "[" + ip + "]:" + std::to_string(manner.port));
  }

  // Loading trust anchors is dear: one client for each way of verifying.
  Result<std::shared_ptr<net::TlsClient>> tls_client(const net::TlsPeer& peer) {
    std::string key = peer.name + "\n" + peer.ca_file;
    for (const std::string& pin : peer.pins) key += "\n" + pin;
    const std::lock_guard lock(mutex_);
    if (const auto found = tls_clients_.find(key); found != tls_clients_.end()) return found->second;
    ASSIGN_OR_RETURN(std::shared_ptr<net::TlsClient> client, net::TlsClient::create(peer));
    if (tls_clients_.size() >= tls_clients_max) tls_clients_.clear();
    return tls_clients_[key] = std::move(client);
  }

  const OutboundSettings settings_;
  const std::shared_ptr<dns::Resolver> resolver_;
  const OpenThroughBroker broker_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<net::TlsClient>> tls_clients_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<Opener> make_opener(OutboundSettings settings, std::shared_ptr<dns::Resolver> resolver,
                                    OpenThroughBroker broker) {
  return std::make_unique<RouteOpener>(std::move(settings), std::move(resolver), std::move(broker));
}

}  // namespace mailhold::outbound
