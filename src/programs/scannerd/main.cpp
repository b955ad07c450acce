// scannerd: makes jailed workers for the gateway and for workerd, and starts document programs. This process only carries
// requests to its zygotes, which have one thread and no other duty each; none of them ever reads mail. Wiring only.
#include "base/log.h"
#include "features/scanning/document_program.h"
#include "features/scanning/scanning_service.h"
#include "features/scanning/zygote.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

constexpr std::size_t document_programs_max = 32;  // at one time

// Nothing but frames: no file, no socket of its own, no process.
sandbox::Profile carrier_profile() { return {"scannerd-carrier", {sandbox::Right::threads}, {}, {}, sandbox::Violation::refuse}; }

// What a zygote is made with. The self-test of its copies' profile is made once, here or in the zygote, where forking is allowed.
Result<scanning::ZygoteSettings> of_workers(const std::map<std::string, std::string>& directories) {
  ASSIGN_OR_RETURN(const auto jail, sandbox::PreparedProfile::make(sandbox::profile_of("scanner", directories)));
  RETURN_IF_ERROR(jail.self_test());
  scanning::ZygoteSettings settings;
  settings.confine_zygote = [directories] { return sandbox::enter(sandbox::profile_of("scannerd", directories)); };
  settings.confine_worker = [jail](const Id&) { return jail.tighten(); };
  return settings;
}

Result<scanning::ZygoteSettings> of_document_programs() {
  const sandbox::Profile own = sandbox::profile_of("document-zygote", {});
  ASSIGN_OR_RETURN(const auto jail, sandbox::PreparedProfile::make_for_copies(sandbox::profile_of("document-program", {}), own));
  scanning::ZygoteSettings settings;
  settings.confine_zygote = [own, jail]() -> Status {
    RETURN_IF_ERROR(sandbox::enter(own));
    return jail.self_test();
  };
  settings.serve = [jail](ipc::OwnedFd socket, const Id&) {
    scanning::DocumentProgram program;
    program.confine = [&jail] { return jail.tighten(); };
    scanning::serve_document(std::move(socket), program);
  };
  settings.workers_max = document_programs_max;
  return settings;
}

Status serve(ipc::Daemon& daemon) {
  RETURN_IF_ERROR(scanning::load_scan_tables());
  ASSIGN_OR_RETURN(const scanning::ZygoteSettings worker_settings, of_workers(daemon.directories()));
  ASSIGN_OR_RETURN(const scanning::ZygoteSettings program_settings, of_document_programs());
  ASSIGN_OR_RETURN(const auto workers, scanning::Zygote::start(worker_settings));
  std::unique_ptr<scanning::Zygote> programs;
  const scanning::DocumentProgram pdf;
  if (scanning::is_installed(pdf)) {
    ASSIGN_OR_RETURN(programs, scanning::Zygote::start(program_settings));
  } else {
    log_warning("scanning", pdf.path + " is not installed (package poppler-utils): no text of PDF attachments will be found");
  }
  sandbox::enter_or_exit(carrier_profile());
  scanning::ScanningService service(*workers, programs.get());
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    service.handle(call);
    if (!workers->is_alive() || (programs && !programs->is_alive())) daemon.stop();  // the supervisor starts us anew
  });
  return done();
}

}  // namespace

int main() {
  const auto daemon = ipc::Daemon::start("scannerd");
  const Status served = serve(*daemon);
  if (!served) log_error("scanning", served.error().detail);
  return served ? 0 : 78;
}
