// resolverd: DNS and DNSSEC for the other processes. The only one that parses packets of name servers. Wiring only.
#include "base/log.h"
#include "core/settings/settings.h"
#include "platform/dns/resolver_service.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

// "example.test=127.0.0.1@53"
Result<dns::StubZone> stub_zone_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return Error{ErrorKind::invalid_input, "dns.stub_zones: not zone=address@port: " + text};
  return dns::StubZone{text.substr(0, equals), text.substr(equals + 1)};
}

Result<dns::UnboundSettings> resolver_settings(const Settings& settings) {
  dns::UnboundSettings resolver;
  resolver.servers = settings.list("dns.servers");
  for (const std::string& text : settings.list("dns.stub_zones")) {
    ASSIGN_OR_RETURN(dns::StubZone stub, stub_zone_of(text));
    resolver.stub_zones.push_back(std::move(stub));
  }
  if (const std::string& path = settings.text("dns.trust_anchor_file"); !path.empty()) {
    ASSIGN_OR_RETURN(resolver.trust_anchors, dns::read_trust_anchors(path));
  } else {
    log_info("dns", "no trust anchor is set: answers are not validated");
  }
  return resolver;
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  ASSIGN_OR_RETURN(dns::UnboundSettings unbound, resolver_settings(settings));
  ASSIGN_OR_RETURN(const std::unique_ptr<dns::UnboundResolver> resolver, dns::UnboundResolver::create(std::move(unbound)));
  sandbox::enter_or_exit(sandbox::profile_of("resolverd", daemon.directories()));
  dns::ResolverService service(*resolver);
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) { service.handle(call); });
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("resolverd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("dns", served.error().detail);
  return served ? 0 : 70;
}
