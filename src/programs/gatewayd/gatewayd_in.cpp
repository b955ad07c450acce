// gatewayd in: wiring only.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/bytes.h"
#include "base/log.h"
#include "core/keys/key_client.h"
#include "core/settings/settings.h"
#include "features/gateway/inbound/clamd_connection.h"
#include "features/gateway/inbound/inbound.h"
#include "features/gateway/inbound/inbound_api.h"
#include "features/gateway/queue/spool_hints.h"
#include "features/scanning/scanner_pool.h"
#include "features/tenants/tenant_messages.h"
#include "formats/url/host.h"
#include "platform/dns/resolver_client.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/sandbox/profiles.h"
#include "programs/gatewayd/gatewayd.h"

namespace mailhold::gatewayd {
namespace {

using namespace std::chrono_literals;

constexpr auto directory_time = 2s;  // how soon a changed tenant counts
constexpr auto key_time = 10s;
constexpr auto spool_gather = 2ms;  // docs/decisions/gateway-speed.md
constexpr std::uint64_t segment_overhead_bytes = 4u << 20;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The certificate for STARTTLS, read again when its file changes.
class Certificate {
 public:
  Certificate(const Settings& settings)
      : chain_(settings.text("gateway.tls_certificate")),
        key_(settings.text("gateway.tls_key")),
        host_name_(settings.text("mailhold.hostname")) {}

  Result<std::shared_ptr<const net::TlsIdentity>> load() {
    if (chain_.empty()) return net::TlsIdentity::self_signed(host_name_);
    std::error_code ignored;
    changed_ = std::filesystem::last_write_time(chain_, ignored);
    return net::TlsIdentity::from_pem(content_of(chain_), content_of(key_));
  }
  // A new file that does not fit leaves the old certificate in force.
  void reload_if_changed(gateway::Inbound& inbound) {
    std::error_code failed;
    if (chain_.empty()) return;
    const auto changed = std::filesystem::last_write_time(chain_, failed);
    if (failed || changed == changed_) return;
    const auto identity = load();
    if (!identity) return log_error("gateway", "the new certificate cannot be used: " + identity.error().detail);
    inbound.set_identity(*identity);
    log_info("gateway", "new certificate in use");
  }
  std::vector<std::string> files() const {
    return chain_.empty() ? std::vector<std::string>{} : std::vector<std::string>{chain_, key_};
  }

 private:
  const std::string chain_, key_, host_name_;
  std::filesystem::file_time_type changed_{};
};

void fetch_directory(ipc::Client& apid, gateway::DirectoryLease& directory, const std::stop_token& stop) {
  ByteWriter known;
  known.u64(directory.version());
  const auto reply = apid.call(static_cast<std::uint16_t>(tenants::Method::directory), known.view(), Deadline::after(30s, stop));
  if (!reply) return;
  if (reply->bytes.empty()) return directory.confirm();
  if (const Status renewed = directory.renew(reply->bytes); !renewed)
    return log_error("gateway", "directory from apid: " + renewed.error().detail);
  log_info("gateway", "directory version " + std::to_string(directory.version()));
}

links::LinkKeySource link_keys(keys::KeyClient& keys) {
  return [&keys](const Id& tenant, std::optional<std::uint32_t> version, const Deadline& deadline) -> Result<links::LinkKey> {
    auto key = version ? keys.link_key(tenant, *version, deadline) : keys.link_key(tenant, deadline);
    if (!key) return key.error();
    return links::LinkKey{key->version, std::move(key->key)};
  };
}

Result<std::unique_ptr<spool::SpoolWriter>> open_spool(ipc::Daemon& daemon, const Settings& settings, keys::KeyClient& keys) {
  segments::SegmentSettings segments;
  segments.folder = daemon.directory("spool");
  segments.gather = spool_gather;
  segments.record_bytes_max = static_cast<std::uint64_t>(settings.number("gateway.size_bytes_max")) * 3 + segment_overhead_bytes;
  return spool::SpoolWriter::open(
      segments, settings.text("mailhold.region"), [&keys](Id tenant) -> Result<spool::SpoolPublicKey> {
        ASSIGN_OR_RETURN(const keys::SpoolKey key, keys.spool_public_key(tenant, Deadline::after(key_time)));
        return spool::SpoolPublicKey{key.version, key.public_key};
      });
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  ASSIGN_OR_RETURN(const gateway::InboundSettings inbound_settings, gateway::inbound_settings_from(settings));
  Certificate certificate(settings);
  ASSIGN_OR_RETURN(const auto identity, certificate.load());
  sandbox::Profile profile = sandbox::profile_of("gatewayd-in", daemon.directories());
  for (const std::string& file : certificate.files()) profile.readable.push_back(std::filesystem::path(file).parent_path());
  url::load_unicode_tables();  // while files can still be opened
  sandbox::enter_or_exit(profile);

  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  dns::ResolverClient resolver(daemon.peer("resolverd"), system_clock());
  gateway::LinkWrappers wrappers(link_keys(keys));
  gateway::DirectoryLease directory;
  scanning::PoolSettings pool_settings;
  pool_settings.workers_max = static_cast<std::size_t>(std::max<std::int64_t>(1, settings.number("scanning.workers_max")));
  const auto scannerd = daemon.peer("scannerd");
  scanning::ScannerPool pool(scanning::workers_of(*scannerd), pool_settings);
  ASSIGN_OR_RETURN(const auto spool, open_spool(daemon, settings, keys));
  const queue::SpoolHints hints(daemon.peer("gatewayd-out"), [&spool] { return spool->watermark(); });

  gateway::Acceptance::Parts parts;
  parts.scan = [&pool](const scanning::ScanRequest& request, scanning::Answers& answers, const Deadline& deadline) {
    return pool.scan(request, answers, deadline);
  };
  parts.spool = spool.get();
  parts.resolver = &resolver;
  parts.wrappers = &wrappers;
  if (!inbound_settings.clamd_socket.empty()) parts.connect_clamd = gateway::clamd_at(inbound_settings.clamd_socket);
  ASSIGN_OR_RETURN(const auto inbound,
                   gateway::Inbound::start(inbound_settings, parts, directory, identity, {daemon.listener("smtp").release()}));

  const auto apid = daemon.peer("apid");
  std::jthread refreshing([&](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any sleep;
    std::unique_lock lock(mutex);
    do {
      fetch_directory(*apid, directory, stop);
      certificate.reload_if_changed(*inbound);
    } while (!sleep.wait_for(lock, stop, directory_time, [&stop] { return stop.stop_requested(); }));
  });
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    if (call->method() != ipc::method_api || call->peer != "apid")
      return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
    call->answer(gateway::answer_verb(*inbound, directory, call->body()));
  });
  return done();
}

}  // namespace

int run_inbound() {
  const auto daemon = ipc::Daemon::start("gatewayd-in");
  const Status served = serve(*daemon);
  if (!served) log_error("gateway", served.error().detail);
  return served ? 0 : 70;
}

}  // namespace mailhold::gatewayd
