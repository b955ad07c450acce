// ledgerd: the region's one tamper-evident log. No network; it cannot read what it keeps. Wiring only.
#include <thread>

#include "base/log.h"
#include "core/keys/key_client.h"
#include "core/ledger/ledger_service.h"
#include "core/settings/settings.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;
using namespace std::chrono_literals;

// keyd gives the signing key once the region is unsealed, which may be long after the start of the machine.
Result<crypto::Ed25519Signer> wait_for_signer(keys::KeyClient& keys, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto seed = keys.ledger_signing_seed(Deadline::after(10s, stop));
    if (seed) return crypto::Ed25519Signer::from_seed(seed->reveal());
    if (!seed.error().is_temporary()) return seed.error();
    std::this_thread::sleep_for(500ms);
  }
  return Error{ErrorKind::cancelled, "stopped while waiting for the signing key"};
}

// A log that does not verify is served nevertheless: it refuses every entry, and says why to whoever asks.
void open_log(keys::KeyClient& keys, ledger::LedgerService& service, const ledger::LogSettings& settings,
              const ledger::WitnessSettings& witnesses, const std::stop_token& stop) {
  auto signer = wait_for_signer(keys, stop);
  if (!signer) return log_error("ledgerd", signer.error().detail);
  auto log = std::make_unique<ledger::Log>(settings, std::move(*signer));
  if (log->reopen()) log_info("ledgerd", "opened with " + std::to_string(log->status().size) + " entries");
  service.use(std::move(log), witnesses);
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  ledger::LogSettings log_settings;
  log_settings.folder = daemon.directory("ledger");
  log_settings.origin = "mailhold/" + settings.text("mailhold.region");
  ASSIGN_OR_RETURN(const auto witnesses,
                   ledger::WitnessSettings::parse(settings.list("ledger.witnesses"),
                                                  static_cast<std::uint64_t>(settings.number("ledger.witnesses_needed"))));
  sandbox::enter_or_exit(sandbox::profile_of("ledgerd", daemon.directories()));

  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  ledger::LedgerService service;
  const std::jthread opening([&](const std::stop_token& stop) { open_log(keys, service, log_settings, witnesses, stop); });
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) { service.handle(call); }, 16);
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("ledgerd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("ledgerd", served.error().detail);
  return served ? 0 : 70;
}
