// keyd: the keys of the region. No network, no other program; answers fixed questions. Wiring only.
#include "base/log.h"
#include "base/secret_text.h"
#include "base/text.h"
#include "core/keys/key_door.h"
#include "core/ledger/receipt.h"
#include "core/settings/settings.h"
#include "platform/crypto/hash.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

// What the ledger must say before a secret is used: computed here from what the secret will be opened with, not from
// anything that brokerd or authd claim about the entry.
ledger::Expected intent_of(const keys::UseRequest& request) {
  ledger::Expected intent{request.tenant, request.connection, "use.intent", {}};
  intent.fields["purpose"] = request.purpose;
  intent.fields["policy"] = to_hex(crypto::sha256(request.policy));
  return intent;
}

Result<keys::VerifiedReceipt> verify(const keys::UseRequest& request, std::string_view verifying_key, Milliseconds now) {
  const auto receipt = ledger::Receipt::parse(request.receipt);
  if (!receipt) return Error{ErrorKind::denied, "receipt: malformed"};
  // The key signs one log only, so any name of the log that it signed is the log's name.
  const tlog::NoteKey log_key{receipt->origin, std::string(verifying_key)};
  const auto entry = ledger::verify_receipt(*receipt, log_key, intent_of(request), now);
  if (!entry) return entry.error();
  return keys::VerifiedReceipt{std::string(receipt->leaf().bytes()), receipt->time, receipt->expires};
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  keys::KeyService service({daemon.directory("keystore") + "/keystore.db", settings.text("mailhold.region"), {}}, verify);
  sandbox::enter_or_exit(sandbox::profile_of("keyd", daemon.directories()));
  keys::KeyDoor door(service);
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    Result<std::string> answer = door.answer(call->peer, call->method(), call->body());
    call->answer(answer);
    if (answer) wipe(*answer);
  });
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("keyd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("keyd", served.error().detail);
  return served ? 0 : 70;
}
