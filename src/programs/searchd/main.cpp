// searchd: makes a jailed process for each tenant whose mail is searched, and gives it that tenant's index key. Texts and
// questions pass between workerd and that process alone. Wiring only.
#include <filesystem>

#include "base/log.h"
#include "core/keys/key_client.h"
#include "core/settings/settings.h"
#include "features/scanning/zygote.h"
#include "features/search/search_service.h"
#include "features/search/searcher.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

// Nothing but frames: no file, no socket of its own, no process.
sandbox::Profile carrier_profile() { return {"searchd-carrier", {sandbox::Right::threads}, {}, {}, sandbox::Violation::refuse}; }

// One tenant's folder is all that its process reaches.
Status confine(const sandbox::PreparedProfile& jail, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (error) return Error{ErrorKind::unavailable, "the folder of a tenant: " + error.message()};
  return jail.with_writable({folder.string()}).tighten();
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  const std::filesystem::path base = daemon.directory("search");
  RETURN_IF_ERROR(search::load_search_tables());
  // The self-test of the profile is made once, here, where forking is still allowed.
  ASSIGN_OR_RETURN(const auto jail, sandbox::PreparedProfile::make(sandbox::profile_of("searcher", daemon.directories())));
  RETURN_IF_ERROR(jail.self_test());
  scanning::ZygoteSettings zygote_settings;
  zygote_settings.workers_max = 64;
  zygote_settings.confine_zygote = [&] { return sandbox::enter(sandbox::profile_of("searchd", daemon.directories())); };
  zygote_settings.confine_worker = [&](const Id& tenant) { return confine(jail, base / tenant.text()); };
  zygote_settings.serve = [&](ipc::OwnedFd socket, const Id& tenant) {
    search::serve_tenant(std::move(socket), tenant, base / tenant.text());
  };
  ASSIGN_OR_RETURN(const auto zygote, scanning::Zygote::start(zygote_settings));
  sandbox::enter_or_exit(carrier_profile());
  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  search::SearchService service(settings.text("mailhold.region"), keys, *zygote);
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    service.handle(call);
    if (!zygote->is_alive()) daemon.stop();  // the supervisor starts us anew
  });
  return done();
}

}  // namespace

int main() {
  const auto daemon = ipc::Daemon::start("searchd");
  const Status served = serve(*daemon);
  if (!served) log_error("search", served.error().detail);
  return served ? 0 : 78;
}
