// keyd: the keys of the region. No network, no other program; answers fixed questions. Wiring only.
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/secret_text.h"
#include "base/text.h"
#include "core/keys/key_door.h"
#include "core/keys/token_messages.h"
#include "core/ledger/receipt.h"
#include "core/settings/settings.h"
#include "platform/crypto/hash.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

constexpr std::size_t secrets_bytes_max = 128 * 1024;  // of one ceremony: passphrases, PINs, shares
constexpr auto token_patience = std::chrono::seconds(30);
constexpr auto idle_wait = std::chrono::milliseconds(500);
constexpr auto wait_after_failure = std::chrono::seconds(30);

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

// The secrets of a ceremony come as a descriptor of the command line's memory, and shares go back into one, so that no process
// between holds them.
Result<SecretText> read_memory(const ipc::OwnedFd& memory) {
  SecretText buffer = SecretText::zeroed(secrets_bytes_max + 1);
  const ssize_t count = ::pread(memory.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 || static_cast<std::size_t>(count) > secrets_bytes_max)
    return Error{ErrorKind::invalid_input, "no secrets were given"};
  return SecretText::copy_of(buffer.reveal().substr(0, static_cast<std::size_t>(count)));
}

Status write_memory(const ipc::OwnedFd& memory, std::string_view bytes) {
  if (::pwrite(memory.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) return done();
  return Error{ErrorKind::unavailable, "the shares could not be handed over"};
}

// With one descriptor the secrets are in it; what the answer says goes into the second, if there is one.
Result<std::string> answer(keys::KeyDoor& door, ipc::Call& call) {
  if (call.fds().empty()) return door.answer(call.peer, call.method(), call.body());
  ASSIGN_OR_RETURN(const SecretText secrets, read_memory(call.fds().front()));
  const SecretText ceremony = keys::encode_ceremony(call.body(), secrets.reveal());
  ASSIGN_OR_RETURN(std::string reply, door.answer(call.peer, call.method(), ceremony.reveal()));
  if (call.fds().size() < 2) return reply;
  const SecretText shares = SecretText::take(std::move(reply));
  RETURN_IF_ERROR(write_memory(call.fds()[1], shares.reveal()));
  return std::string();
}

// Goes on with rotations wherever they stand, also those of a process before this one.
void rewrap(keys::KeyService& service, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  while (!stop.stop_requested()) {
    const auto worked = service.rewrap_step();
    if (worked && *worked) continue;
    const bool failed = !worked && worked.error().kind != ErrorKind::unavailable;
    if (failed) log_error("keys", "a rotation does not go on: " + worked.error().detail);
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, failed ? std::chrono::milliseconds(wait_after_failure) : idle_wait, [] { return false; });
  }
}

keys::TokenKeys tokens(ipc::Daemon& daemon, const Settings& settings) {
  if (settings.text("keys.pkcs11_module").empty()) return {};
  return keys::token_keys([peer = daemon.peer("tokend")](std::uint16_t method, std::string_view body) -> Result<std::string> {
    ASSIGN_OR_RETURN(ipc::Frame reply, peer->call(method, body, Deadline::after(token_patience)));
    return std::move(reply.bytes);
  });
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  keys::KeyService service(
      {daemon.directory("keystore") + "/keystore.db", settings.text("mailhold.region"), {}, tokens(daemon, settings)}, verify);
  sandbox::enter_or_exit(sandbox::profile_of("keyd", daemon.directories()));
  keys::KeyDoor door(service);
  const std::jthread rewrapping([&](const std::stop_token& stop) { rewrap(service, stop); });
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
