// scannerd: makes jailed workers for the gateway. This process only carries requests to the zygote, which
// has one thread and no other duty; neither of them ever reads mail. Wiring only.
#include "base/log.h"
#include "features/scanning/scanning_service.h"
#include "features/scanning/zygote.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

// Nothing but frames: no file, no socket of its own, no process.
sandbox::Profile carrier_profile() { return {"scannerd-carrier", {sandbox::Right::threads}, {}, {}, sandbox::Violation::refuse}; }

}  // namespace

int main() {
  auto daemon = ipc::Daemon::start("scannerd");
  if (const Status loaded = scanning::load_scan_tables(); !loaded) {
    log_error("scanning", loaded.error().detail);
    return 78;
  }
  // The self-test of the workers' profile is made once, here, where forking is still allowed.
  const auto jail = sandbox::PreparedProfile::make(sandbox::profile_of("scanner", daemon->directories()));
  const Status holds = jail ? jail->self_test() : Status(jail.error());
  if (!holds) {
    log_error("scanning", holds.error().detail);
    return 78;
  }
  scanning::ZygoteSettings settings;
  settings.confine_zygote = [&] { return sandbox::enter(sandbox::profile_of("scannerd", daemon->directories())); };
  settings.confine_worker = [jail = *jail](const Id&) { return jail.tighten(); };
  auto zygote = scanning::Zygote::start(settings);
  if (!zygote) {
    log_error("scanning", zygote.error().detail);
    return 78;
  }
  sandbox::enter_or_exit(carrier_profile());
  scanning::ScanningService service(**zygote);
  return daemon->run([&](const std::shared_ptr<ipc::Call>& call) {
    service.handle(call);
    if (!(*zygote)->is_alive()) daemon->stop();  // the supervisor starts us anew
  });
}
