// tokend: wraps and unwraps seal keys inside a hardware token, for keyd alone. It loads the vendor's module, which is code
// of strangers, and so holds nothing itself, in a network namespace of its own. Wiring only.
#include <cstdlib>

#include "base/log.h"
#include "core/keys/token_messages.h"
#include "core/settings/settings.h"
#include "platform/ipc/daemon.h"
#include "platform/pkcs11/token_module.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

Result<std::string> answer(pkcs11::TokenModule& module, ipc::Call& call) {
  if (call.peer != "keyd") return Error{ErrorKind::denied, "not for " + call.peer};
  ASSIGN_OR_RETURN(const keys::TokenQuestion question, keys::parse_token_question(call.body()));
  const auto method = static_cast<keys::TokenMethod>(call.method());
  if (method == keys::TokenMethod::wrap) return module.wrap(question.token, question.pin.reveal(), question.bytes.reveal());
  if (method != keys::TokenMethod::unwrap) return Error{ErrorKind::invalid_input, "no such method"};
  ASSIGN_OR_RETURN(const SecretText key, module.unwrap(question.token, question.pin.reveal(), question.bytes.reveal()));
  return std::string(key.reveal());
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  const std::string variable = settings.text("keys.pkcs11_environment");
  const std::size_t equals = variable.find('=');
  if (equals != std::string::npos) ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  ASSIGN_OR_RETURN(const auto module, pkcs11::TokenModule::load(settings.text("keys.pkcs11_module")));
  sandbox::enter_or_exit(sandbox::profile_of("tokend", daemon.directories()));
  daemon.run(
      [&](const std::shared_ptr<ipc::Call>& call) {
        Result<std::string> reply = answer(*module, *call);
        call->answer(reply);
        if (reply) wipe(*reply);
      },
      1);
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("tokend");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("tokend", served.error().detail);
  return served ? 0 : 70;
}
