// keyd: the keys of the region. No network, no other program; answers fixed questions. Wiring only.
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/secret_text.h"
#include "base/text.h"
#include "core/keys/key_door.h"
#include "core/keys/token_messages.h"
#include "core/ledger/use_receipt.h"
#include "core/measurement/host_state.h"
#include "core/settings/settings.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/secret_memory.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

constexpr std::size_t secrets_bytes_max = 128 * 1024;  // of one ceremony: passphrases, PINs, shares
constexpr std::size_t secret_memory_bytes = 32 << 20;  // 200,000 keys of tenants and 64 opened keys of clients fill half of it
constexpr std::size_t secret_memory_bytes_least = 1 << 20;  // 64 opened keys of clients; keys of tenants need the rest
constexpr auto token_patience = std::chrono::seconds(30);
constexpr auto idle_wait = std::chrono::milliseconds(500);
constexpr auto wait_after_failure = std::chrono::seconds(30);
constexpr auto host_wait = std::chrono::seconds(5);  // between two looks at what the host's watch says

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
Result<SecretText> answer(keys::KeyDoor& door, ipc::Call& call) {
  if (call.fds().empty()) return door.answer(call.peer, call.method(), call.body());
  ASSIGN_OR_RETURN(const SecretText secrets, read_memory(call.fds().front()));
  const SecretText ceremony = keys::encode_ceremony(call.body(), secrets.reveal());
  ASSIGN_OR_RETURN(SecretText reply, door.answer(call.peer, call.method(), ceremony.reveal()));
  if (call.fds().size() < 2) return reply;
  RETURN_IF_ERROR(write_memory(call.fds()[1], reply.reveal()));
  return SecretText();
}

// Less than was asked for is enough for the keys of clients, but not for those of many tenants.
void say_what_memory_there_is() {
  const crypto::SecretMemoryUse use = crypto::secret_memory_use();
  const std::size_t bytes = use.pages * 4096;
  if (!use.is_secret)
    log_warning(
        "keyd",
        "NO SECRET MEMORY: opened keys lie in pages that root can read; it takes secretmem.enable=1 and no memlock limit");
  else if (bytes < secret_memory_bytes)
    log_warning("keyd", "only " + std::to_string(bytes >> 10) + " KiB of secret memory: take the memlock limit away");
}

// True once it has said so.
bool say_that_memory_is_full() {
  if (crypto::secret_memory_use().texts_outside == 0) return false;
  log_warning("keyd", "SECRET MEMORY IS FULL: further keys lie in pages that root can read; take the memlock limit away");
  return true;
}

// Goes on with rotations wherever they stand, also those of a process before this one.
void rewrap(keys::KeyService& service, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  auto next_step = std::chrono::steady_clock::now();
  bool is_full = false;
  while (!stop.stop_requested()) {
    service.forget_opened_keys();  // also while a rotation does not go on
    is_full = is_full || say_that_memory_is_full();
    if (const auto now = std::chrono::steady_clock::now(); now >= next_step) {
      const auto worked = service.rewrap_step();
      if (worked && *worked) continue;
      if (!worked && worked.error().kind != ErrorKind::unavailable) {
        log_error("keys", "a rotation does not go on: " + worked.error().detail);
        next_step = now + wait_after_failure;
      }
    }
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, idle_wait, [] { return false; });
  }
}

// As `mailhold host watch` has written it; without that the host counts as not watched.
std::vector<keys::HostFinding> findings_in(const std::string& host_state) {
  const auto state = measurement::read_state(host_state, system_clock().now());
  if (!state) return {{"not watched", "", state.error().detail}};
  std::vector<keys::HostFinding> findings;
  for (const auto& each : state->findings) findings.push_back({std::string(name_of(each.kind)), each.subject, ""});
  return findings;
}

void watch_host(keys::KeyService& service, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  do {
    service.look_at_host();
  } while (!never.wait_for(lock, stop, host_wait, [&stop] { return stop.stop_requested(); }));
}

keys::TokenKeys tokens(ipc::Daemon& daemon, const Settings& settings) {
  if (settings.text("keys.pkcs11_module").empty()) return {};
  return keys::token_keys([peer = daemon.peer("tokend")](std::uint16_t method, std::string_view body) -> Result<std::string> {
    ASSIGN_OR_RETURN(ipc::Frame reply, peer->call(method, body, Deadline::after(token_patience)));
    return std::move(reply.bytes);
  });
}

Status serve(ipc::Daemon& daemon) {
  say_what_memory_there_is();
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  keys::KeyService::Settings chosen;
  chosen.keystore = daemon.directory("keystore") + "/keystore.db";
  chosen.region = settings.text("mailhold.region");
  chosen.token = tokens(daemon, settings);
  auto directories = daemon.directories();
  if (const std::string& host_state = settings.text("keys.host_state"); !host_state.empty()) {
    chosen.host = [host_state] { return findings_in(host_state); };
    const std::filesystem::path folder = std::filesystem::path(host_state).parent_path();
    std::error_code ignored;
    if (std::filesystem::is_directory(folder, ignored))
      directories["host"] = folder;
    else
      log_error("keyd",
                "the folder of keys.host_state does not exist: no seal is opened until it does and keyd is started again");
  }
  keys::KeyService service(std::move(chosen), ledger::UseVerifier());
  sandbox::enter_or_exit(sandbox::profile_of("keyd", directories));
  keys::KeyDoor door(service);
  std::jthread watching;
  if (!settings.text("keys.host_state").empty())
    watching = std::jthread([&](const std::stop_token& stop) { watch_host(service, stop); });
  const std::jthread rewrapping([&](const std::stop_token& stop) { rewrap(service, stop); });
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    const Result<SecretText> reply = answer(door, *call);
    reply ? call->reply(reply->reveal()) : call->fail(reply.error());
  });
  return done();
}

}  // namespace

int main() {
  // Before anything of OpenSSL: an error here means that somebody called it earlier.
  if (!mailhold::crypto::keep_secrets_in_secret_memory(secret_memory_bytes_least, secret_memory_bytes)) return 70;
  auto daemon = mailhold::ipc::Daemon::start("keyd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("keyd", served.error().detail);
  return served ? 0 : 70;
}
