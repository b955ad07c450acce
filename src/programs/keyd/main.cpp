// keyd: the keys of the region. No network, no other program; answers fixed questions. Wiring only.
#include <unistd.h>

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

constexpr std::size_t passphrase_bytes_max = 1024;

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

// A passphrase comes as a descriptor of the command line's memory, so that no process between holds it.
Result<SecretText> passphrase_in(const ipc::OwnedFd& memory) {
  SecretText buffer = SecretText::zeroed(passphrase_bytes_max + 1);
  const ssize_t count = ::pread(memory.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 || static_cast<std::size_t>(count) > passphrase_bytes_max)
    return Error{ErrorKind::invalid_input, "no passphrase"};
  return SecretText::copy_of(buffer.reveal().substr(0, static_cast<std::size_t>(count)));
}

Result<std::string> answer(keys::KeyDoor& door, ipc::Call& call) {
  if (call.fds().empty()) return door.answer(call.peer, call.method(), call.body());
  ASSIGN_OR_RETURN(const SecretText passphrase, passphrase_in(call.fds().front()));
  return door.answer(call.peer, call.method(), passphrase.reveal());
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  keys::KeyService service({daemon.directory("keystore") + "/keystore.db", settings.text("mailhold.region"), {}}, verify);
  sandbox::enter_or_exit(sandbox::profile_of("keyd", daemon.directories()));
  keys::KeyDoor door(service);
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    Result<std::string> reply = answer(door, *call);
    call->answer(reply);
    if (reply) wipe(*reply);
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
