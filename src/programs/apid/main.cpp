// apid: the local API. Keeps the tenants, answers the command line and hands each request to the
// process whose noun it is. Wiring only.
#include <boost/json.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/bytes.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/access/operation.h"
#include "core/settings/settings.h"
#include "features/tenants/tenant_messages.h"
#include "features/tenants/tenant_verbs.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/records/sqlite/sqlite_records.h"
#include "platform/sandbox/profiles.h"
#include "programs/apid/region_verbs.h"

namespace {

using namespace mailhold;
using namespace std::chrono_literals;

// Which process answers which noun.
constexpr std::pair<std::string_view, std::string_view> owners[] = {
    {"queue", "gatewayd-out"}, {"held", "gatewayd-out"}, {"message", "gatewayd-out"}, {"gateway", "gatewayd-in"},
    {"link", "linkd"},         {"operation", "brokerd"}, {"person", "brokerd"},       {"route", "brokerd"},
    {"secret", "brokerd"},     {"ledger", "ledgerd"},    {"connection", "brokerd"},   {"session", "workerd"},
    {"mailbox", "workerd"},    {"backup", "workerd"},    {"restore", "workerd"},      {"retention", "workerd"},
    {"hold", "workerd"},       {"export", "workerd"},    {"import", "workerd"}};

// gatewayd and linkd ask for what they need of the tenants.
void answer_peer(tenants::TenantBook& book, const std::shared_ptr<ipc::Call>& call) {
  const Deadline deadline = Deadline::after(10s);
  if (call->method() == static_cast<std::uint16_t>(tenants::Method::link_policies) && call->peer == "linkd") {
    const auto policies = book.link_policies(deadline);
    return policies ? call->reply(links::encode(*policies)) : call->fail(policies.error());
  }
  if (call->method() == static_cast<std::uint16_t>(tenants::Method::directory) && call->peer.starts_with("gatewayd-")) {
    const auto snapshot = book.directory(deadline);
    if (!snapshot) return call->fail(snapshot.error());
    ByteReader known(call->body());
    return call->reply(known.u64() == snapshot->version ? std::string() : gateway::write_directory(*snapshot));
  }
  call->fail(Error{ErrorKind::denied, "not for " + call->peer});
}

class Router {
 public:
  Router(ipc::Daemon& daemon, tenants::TenantVerbs& tenants, apid::RegionVerbs& region) : tenants_(tenants), region_(region) {
    for (const auto& [noun, owner] : owners) peers_[std::string(noun)] = daemon.peer(std::string(owner));
    for (const char* program : {"keyd", "ledgerd", "brokerd", "gatewayd-in", "gatewayd-out", "linkd", "workerd"})
      watched_[program] = daemon.peer(program);
  }

  Result<std::string> answer(api::Request& request, const Deadline& deadline) {
    boost::system::error_code error;
    const auto parsed = boost::json::parse(request.json, error);
    const auto* found = !error && parsed.is_object() ? parsed.as_object().if_contains("verb") : nullptr;
    if (found == nullptr || !found->is_string()) return Error{ErrorKind::invalid_input, "a request is a JSON object with a verb"};
    const std::string verb(found->as_string());
    const std::string noun = verb.substr(0, verb.find('.'));
    if (verb == "metrics.show") return metrics_of_all(deadline);
    if (verb == "status") return region_.status(deadline);
    if (noun == "key") {
      Result<std::string> answer = region_.key(verb, request, deadline);
      (void)region_.carry_events(deadline);  // what does not go through now goes with the next round
      return answer;
    }
    if (verb == "backup.record" || verb == "backup.record-prune") return region_.backup(request.json, deadline);
    if (verb == "ledger.show") return region_.show_ledger(request.json, deadline);
    if (tenants::TenantVerbs::knows(verb)) return tenants_.answer(request.json, deadline);
    if (verb == "message.shred" || verb == "message.shred-day")
      RETURN_IF_ERROR(region_.record_shred(verb, request.json, deadline));
    const auto peer = peers_.find(noun);
    if (peer == peers_.end()) return Error{ErrorKind::not_found, "there is no verb " + verb};
    std::vector<int> fds;  // files and channels that a command opened
    for (const ipc::OwnedFd& each : request.fds) fds.push_back(each.get());
    ASSIGN_OR_RETURN(ipc::Frame reply, peer->second->call(ipc::method_api, request.json, fds, deadline));
    return std::move(reply.bytes);
  }

 private:
  // Of every process that apid can ask; one that is away is told by its absence.
  Result<std::string> metrics_of_all(const Deadline& deadline) {
    MetricFamilies all;
    for (const auto& [program, peer] : watched_) {
      const auto reply =
          peer->call(ipc::method_metrics, {}, Deadline::after(std::min<std::chrono::milliseconds>(5s, deadline.left())));
      auto families = reply ? read_families(reply->bytes) : Result<MetricFamilies>(reply.error());
      if (families) join_families(all, std::move(*families), program);
      metrics().gauge("mailhold_up", "Whether the program answered.", {{"of", program}}).set(families ? 1 : 0);
    }
    join_families(all, metrics().families(), "apid");
    return boost::json::serialize(boost::json::object{{"text", metrics_text(all)}});
  }

  std::map<std::string, std::shared_ptr<ipc::Client>> watched_;  // by program
  std::map<std::string, std::shared_ptr<ipc::Client>> peers_;
  tenants::TenantVerbs& tenants_;
  apid::RegionVerbs& region_;
};

// What keyd did by itself, such as the end of a rotation, comes into the ledger within seconds. Soon after an unsealing the
// keystore is compared with the ledger: until then no connection is used.
void carry(apid::RegionVerbs& region, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, 1s, [&stop] { return stop.stop_requested(); }))
    (void)region.carry_events(Deadline::after(30s, stop));  // sealed or away: the next round
}

Status serve(ipc::Daemon& daemon) {
  const Deadline deadline = Deadline::after(30s);
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  const std::string& region = settings.text("mailhold.region");
  sandbox::enter_or_exit(sandbox::profile_of("apid", daemon.directories()));

  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  ledger::LedgerClient ledger(
      ipc::calls_to(daemon.peer("ledgerd")),
      [&](Id tenant, const Deadline& until) { return keys.ledger_public_key(tenant, until); }, region);
  ledger::EntryOpener opener([&](Id tenant, std::uint32_t version, std::string_view box, std::string_view context,
                                 const Deadline& until) { return keys.open_ledger_box(tenant, version, box, context, until); },
                             region);
  ASSIGN_OR_RETURN(const auto records, records::open_sqlite(daemon.directory("directory") + "/directory.db", deadline));
  ASSIGN_OR_RETURN(const auto book, tenants::TenantBook::open(
                                        *records,
                                        [&](Id tenant, const Deadline& until) {
                                          return keys.purpose_key(tenant, keys::Purpose::configuration, until);
                                        },
                                        {[&](Id tenant, const Deadline& until) { return keys.create_tenant(tenant, until); },
                                         [&](Id tenant, const Deadline& until) { return keys.destroy_tenant(tenant, until); }},
                                        region, system_clock(), deadline));
  tenants::TenantVerbs tenant_verbs(*book, [&](Id tenant, const std::string& what, const Deadline& until) -> Status {
    // What a tenant's own log says ends with its keys; that it was removed must stay readable.
    if (what == "tenant.remove") {
      RETURN_IF_ERROR(ledger.append({access::region_tenant(), {}, what, {{"of", tenant.text()}}}, until));
    }
    RETURN_IF_ERROR(ledger.append({tenant, {}, what, {}}, until));
    return done();
  });
  apid::RegionVerbs region_verbs({daemon.peer("keyd"), daemon.peer("ledgerd"), daemon.peer("supervisor"), keys, opener, ledger});
  Router router(daemon, tenant_verbs, region_verbs);
  api::ApiServer server([&](api::Request& request, const Deadline& until) { return router.answer(request, until); });
  const std::jthread serving(
      [&, listener = daemon.listener("api")](const std::stop_token& stop) mutable { server.run(std::move(listener), stop); });
  const std::jthread carrying([&](const std::stop_token& stop) { carry(region_verbs, stop); });
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) { answer_peer(*book, call); });
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("apid");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("apid", served.error().detail);
  return served ? 0 : 70;
}
