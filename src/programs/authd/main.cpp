// authd: one session with one tenant's server, with one secret for the length of AUTH; then it ends.
#include "core/broker/authd_session.h"
#include "core/keys/key_client.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

int main() {
  using namespace mailhold;
  auto daemon = ipc::Daemon::start("authd");
  sandbox::enter_or_exit(sandbox::profile_of("authd", daemon->directories()));
  const auto keyd = daemon->peer("keyd");
  keys::KeyClient keys([keyd](std::uint16_t method, std::string_view body, const Deadline& deadline) -> Result<std::string> {
    ASSIGN_OR_RETURN(ipc::Frame reply, keyd->call(method, body, deadline));
    return std::move(reply.bytes);
  });
  broker::AuthdSession session(keys, [&] { daemon->stop(); });
  return daemon->run([&](const std::shared_ptr<ipc::Call>& call) { session.handle(call); }, 2);
}
