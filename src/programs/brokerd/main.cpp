// brokerd: people, routes and the way to tenants' servers. Wiring only.
#include "base/bytes.h"
#include "base/log.h"
#include "core/broker/broker.h"
#include "core/settings/settings.h"
#include "core/supervisor/supervisor.h"
#include "platform/dns/resolver_client.h"
#include "platform/ipc/daemon.h"
#include "platform/records/sqlite/sqlite_records.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

broker::ProcessControl control_by(std::shared_ptr<ipc::Client> supervisor) {
  const auto limit = [] { return Deadline::after(std::chrono::seconds(10)); };
  broker::ProcessControl control;
  control.new_authd = [supervisor, limit]() -> Result<broker::NewAuthd> {
    ASSIGN_OR_RETURN(ipc::Frame reply, supervisor->call(supervisor::method_new_authd, {}, limit()));
    ByteReader reader(reply.bytes);
    const std::uint32_t process = reader.u32();
    if (reply.fds.size() != 1 || !reader.finish()) return Error{ErrorKind::corrupt, "the supervisor gave no authd"};
    return broker::NewAuthd{std::move(reply.fds.front()), process};
  };
  control.end_authd = [supervisor, limit](std::uint32_t process) -> Status {
    RETURN_IF_ERROR(supervisor->call(supervisor::method_end_authd, ByteWriter().u32(process).view(), limit()));
    return done();
  };
  control.program_hash = [supervisor, limit](const std::string& role) -> Result<std::string> {
    ASSIGN_OR_RETURN(ipc::Frame reply, supervisor->call(supervisor::method_program_hash, role, limit()));
    return std::move(reply.bytes);
  };
  return control;
}

Status serve(ipc::Daemon& daemon) {
  const Deadline deadline = Deadline::after(std::chrono::seconds(30));
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  broker::BrokerSettings chosen;
  chosen.region = settings.text("mailhold.region");
  chosen.our_name = settings.text("mailhold.hostname");
  ASSIGN_OR_RETURN(chosen.allowed_networks, net::Networks::parse(settings.text("broker.allowed_networks")));
  sandbox::enter_or_exit(sandbox::profile_of("brokerd", daemon.directories()));

  ASSIGN_OR_RETURN(const auto records, records::open_sqlite(daemon.directory("broker") + "/broker.db", deadline));
  const Clock& clock = system_clock();
  ASSIGN_OR_RETURN(const auto people, access::People::open(*records, clock, deadline));
  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  const auto configuration_key = [&](Id tenant, const Deadline& until) {
    return keys.purpose_key(tenant, keys::Purpose::configuration, until);
  };
  ASSIGN_OR_RETURN(const auto routes, broker::RouteBook::open(*records, configuration_key, chosen.region, clock, deadline));
  ledger::LedgerClient ledger(
      ipc::calls_to(daemon.peer("ledgerd")),
      [&](Id tenant, const Deadline& until) { return keys.ledger_public_key(tenant, until); }, chosen.region);
  dns::ResolverClient resolver(daemon.peer("resolverd"), clock);
  ASSIGN_OR_RETURN(const auto connections,
                   broker::ConnectionBook::open(*records, configuration_key, chosen.region, clock, deadline));
  ASSIGN_OR_RETURN(const auto approvals, access::Approvals::open(*records, clock, deadline));
  ASSIGN_OR_RETURN(const auto keeping, broker::KeepingBook::open(*records, configuration_key, chosen.region, deadline));
  ASSIGN_OR_RETURN(const auto permits, broker::PermitBook::open(*records, *connections, clock, deadline));
  ASSIGN_OR_RETURN(const auto usage, broker::UsageBook::open(*records, clock, deadline));
  broker::Broker broker(chosen, {*people, *routes, keys, ledger, resolver, *approvals, *connections, *usage, *keeping, *permits,
                                 control_by(daemon.peer("supervisor")), clock});
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) { broker.handle(call); }, 64);
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("brokerd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("brokerd", served.error().detail);
  return served ? 0 : 70;
}
