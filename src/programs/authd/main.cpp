// authd: one session with one tenant's server, with one secret for the length of AUTH; then it ends.
//   authd          one process, started by systemd for a connection of the supervisor's
//   authd zygote   what the supervisor starts: it makes copies of itself, each of which is an authd
//   (docs/decisions/authd-zygote.md)
#include <linux/capability.h>
#include <sys/prctl.h>

#include <string_view>

#include "base/log.h"
#include "core/broker/authd_session.h"
#include "core/keys/key_client.h"
#include "platform/crypto/prepare.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/zygote.h"
#include "platform/net/tls_client.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

int refuse(const Error& error) {
  log_error("sandbox", "refusing to serve: " + error.detail);
  return 78;
}

int serve(const std::function<Status()>& close_the_jail) {
  auto daemon = ipc::Daemon::start("authd");
  if (const Status closed = close_the_jail(); !closed) return refuse(closed.error());
  keys::KeyClient keys(ipc::calls_to(daemon->peer("keyd")));
  broker::AuthdSession session(keys, [&] { daemon->stop(); });
  return daemon->run([&](const std::shared_ptr<ipc::Call>& call) { session.handle(call); }, 2);
}

int serve_alone() {
  return serve([] { return sandbox::enter(sandbox::profile_of("authd", {})); });
}

// What every copy would do again is done here, once: the self-test of its jail, and all that OpenSSL looks up for a session.
Status prepare(const sandbox::PreparedProfile& jail) {
  crypto::prepare();
  RETURN_IF_ERROR(net::TlsClient::create({}));
  RETURN_IF_ERROR(jail.self_test());
  RETURN_IF_ERROR(sandbox::keep_capabilities({CAP_SETUID, CAP_SETGID}));
  return sandbox::enter(sandbox::profile_of("authd-zygote", {}));
}

int make_copies() {
  set_program_name("authd");
  const auto jail = sandbox::PreparedProfile::make(sandbox::profile_of("authd", {}));
  if (!jail) return refuse(jail.error());
  if (const Status prepared = prepare(*jail); !prepared) return refuse(prepared.error());
  ::prctl(PR_SET_NAME, "authd-zygote");
  ipc::serve_copies([&] {
    ::prctl(PR_SET_NAME, "authd");
    return serve([&] { return jail->tighten(); });
  });
  return 0;
}

}  // namespace

int main(int count, char** words) { return count == 2 && words[1] == std::string_view("zygote") ? make_copies() : serve_alone(); }
