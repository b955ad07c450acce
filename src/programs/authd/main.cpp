// authd: one session with one tenant's server, with one secret for the length of AUTH; then it ends.
#include "core/broker/authd_session.h"
#include "core/keys/key_client.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

int main() {
  using namespace mailhold;
  auto daemon = ipc::Daemon::start("authd");
  sandbox::enter_or_exit(sandbox::profile_of("authd", daemon->directories()));
  keys::KeyClient keys(ipc::calls_to(daemon->peer("keyd")));
  broker::AuthdSession session(keys, [&] { daemon->stop(); });
  return daemon->run([&](const std::shared_ptr<ipc::Call>& call) { session.handle(call); }, 2);
}
