// gatewayd out: wiring only.
#include <boost/json.hpp>
#include <filesystem>

#include "base/bytes.h"
#include "base/log.h"
#include "core/broker/broker_client.h"
#include "core/keys/key_client.h"
#include "core/settings/settings.h"
#include "features/gateway/directory.h"
#include "features/gateway/queue/day_verbs.h"
#include "features/gateway/queue/queue.h"
#include "features/gateway/queue/queue_messages.h"
#include "features/gateway/queue/queue_verbs.h"
#include "features/gateway/queue/tenant_keys.h"
#include "features/tenants/tenant_messages.h"
#include "platform/blobs/files/file_blobs.h"
#include "platform/dns/resolver_client.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/records/sqlite/sqlite_records.h"
#include "platform/sandbox/profiles.h"
#include "programs/gatewayd/gatewayd.h"

namespace mailhold::gatewayd {
namespace {

using namespace std::chrono_literals;

constexpr auto refresh_time = 2s;  // how soon a changed route or tenant counts
constexpr auto open_time = 120s;

// The names of tenants as apid last told them; only the command line's words are compared with them.
class TenantNames {
 public:
  void refresh(ipc::Client& apid, const std::stop_token& stop) {
    ByteWriter known;
    known.u64(version_);
    const auto reply =
        apid.call(static_cast<std::uint16_t>(tenants::Method::directory), known.view(), Deadline::after(10s, stop));
    if (!reply || reply->bytes.empty()) return;
    const auto snapshot = gateway::parse_directory(reply->bytes);
    if (!snapshot) return log_error("queue", "directory from apid: " + std::string(name_of(snapshot.error().kind)));
    version_ = snapshot->version;
    const std::lock_guard lock(mutex_);
    names_.clear();
    for (const gateway::Tenant& tenant : snapshot->tenants) names_.emplace_back(tenant.name, tenant.id);
  }
  std::optional<Id> find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, id] : names_)
      if (known == name) return id;
    return std::nullopt;
  }
  std::vector<Id> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Id> ids;
    for (const auto& [name, id] : names_) ids.push_back(id);
    return ids;
  }

 private:
  std::uint64_t version_ = 0;  // the refreshing thread only
  mutable std::mutex mutex_;
  std::vector<std::pair<std::string, Id>> names_;  // guarded by mutex_
};

void refresh_routes(broker::BrokerClient& brokerd, queue::Queue& queue, std::optional<std::uint64_t>& version,
                    const std::stop_token& stop) {
  auto table = brokerd.routes(Deadline::after(10s, stop));
  if (!table || table->version == version) return;  // brokerd away: the last table stands
  version = table->version;
  queue.set_routes(std::move(*table));
  log_info("queue", "route table version " + std::to_string(*version));
}

// Everything the queue stands on, in the order it is made.
struct House {
  keys::KeyClient keys;
  queue::TenantKeys tenant_keys;
  spool::SpoolReader spool;
  std::unique_ptr<records::Records> records;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<store::MessageStore> store;
  std::unique_ptr<store::TraceLog> trace;

  House(ipc::Daemon& daemon, const std::string& region)
      : keys(ipc::calls_to(daemon.peer("keyd"))),
        tenant_keys(keys),
        spool(daemon.directory("spool"), region,
              [this](Id tenant, std::uint32_t version, std::string_view box, std::string_view context) {
                return keys.open_spool_box(tenant, version, box, context, Deadline::after(10s));
              }) {}

  Status open(const std::filesystem::path& folder, const std::string& region) {
    const Deadline deadline = Deadline::after(open_time);
    std::error_code ignored;
    std::filesystem::create_directories(folder / "trace", ignored);
    ASSIGN_OR_RETURN(records, records::open_sqlite((folder / "gateway.db").string(), deadline));
    ASSIGN_OR_RETURN(blobs, blobs::FileBlobs::open(folder / "blobs"));
    store::StoreSettings settings;
    settings.folder = folder;
    settings.region = region;
    ASSIGN_OR_RETURN(store, store::MessageStore::open(settings, *records, *blobs, tenant_keys));
    ASSIGN_OR_RETURN(trace, store::TraceLog::open(folder / "trace", region, tenant_keys));
    return done();
  }
};

Result<std::string> answer_apid(queue::QueueVerbs& verbs, queue::DayVerbs& days, std::string_view json) {
  boost::system::error_code problem;
  const auto parsed = boost::json::parse(json, problem);
  const auto* verb = !problem && parsed.is_object() ? parsed.as_object().if_contains("verb") : nullptr;
  const bool about_days = verb != nullptr && verb->is_string() && queue::DayVerbs::knows(std::string_view(verb->as_string()));
  const Deadline deadline = Deadline::after(60s);
  return about_days ? days.answer(json, deadline) : verbs.answer(json, deadline);
}

void answer(queue::Queue& queue, queue::QueueVerbs& verbs, queue::DayVerbs& days, const std::shared_ptr<ipc::Call>& call) {
  if (call->peer == "apid" && call->method() == ipc::method_api) return call->answer(answer_apid(verbs, days, call->body()));
  if (call->peer == "gatewayd-in" && call->method() == static_cast<std::uint16_t>(queue::Method::spooled)) {
    const auto position = queue::parse_spooled(call->body());
    if (!position) return call->fail(position.error());
    queue.spooled(*position);
    return call->reply();
  }
  call->fail(Error{ErrorKind::denied, "not for " + call->peer});
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  ASSIGN_OR_RETURN(queue::QueueSettings queue_settings, queue::queue_settings(settings));
  ASSIGN_OR_RETURN(outbound::OutboundSettings outbound_settings, queue::outbound_settings(settings));
  sandbox::Profile profile = sandbox::profile_of("gatewayd-out", daemon.directories());
  for (const char* folder : {"/etc/ssl", "/usr/share/ca-certificates"}) {  // the distribution's trust anchors
    if (std::filesystem::exists(folder)) profile.readable.push_back(folder);
  }
  if (outbound_settings.ca_file != "system")
    profile.readable.push_back(std::filesystem::path(outbound_settings.ca_file).parent_path());
  sandbox::enter_or_exit(profile);

  const std::string& region = settings.text("mailhold.region");
  House house(daemon, region);
  RETURN_IF_ERROR(house.open(daemon.directory("store"), region));
  broker::BrokerClient brokerd(daemon.peer("brokerd"));
  const auto opener = outbound::make_opener(std::move(outbound_settings),
                                            std::make_shared<dns::ResolverClient>(daemon.peer("resolverd"), system_clock()),
                                            [&](const Id& tenant, const Id& route, const Deadline& deadline) {
                                              return brokerd.open_session(tenant, route, Id::random(), deadline);
                                            });
  ASSIGN_OR_RETURN(const auto queue, queue::Queue::open(std::move(queue_settings),
                                                        {house.spool, *house.store, *house.trace, *house.records,
                                                         house.tenant_keys, *opener, system_clock()},
                                                        Deadline::after(open_time)));
  TenantNames names;
  queue::QueueVerbs verbs(*queue, {[&](std::string_view name) { return names.find(name); }, [&] { return names.all(); }});
  queue::DayVerbs days(*queue, house.keys);
  const auto apid = daemon.peer("apid");
  std::jthread refreshing([&](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any sleep;
    std::unique_lock lock(mutex);
    std::optional<std::uint64_t> version;
    refresh_routes(brokerd, *queue, version, stop);
    queue->start();
    do {
      refresh_routes(brokerd, *queue, version, stop);
      names.refresh(*apid, stop);
    } while (!sleep.wait_for(lock, stop, refresh_time, [&stop] { return stop.stop_requested(); }));
  });
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) { answer(*queue, verbs, days, call); });
  refreshing = {};
  queue->stop(10s);
  return done();
}

}  // namespace

int run_outbound() {
  const auto daemon = ipc::Daemon::start("gatewayd-out");
  const Status served = serve(*daemon);
  if (!served) log_error("queue", served.error().detail);
  return served ? 0 : 70;
}

}  // namespace mailhold::gatewayd
