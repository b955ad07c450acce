#include "core/broker/authd_process.h"

#include <linux/capability.h>
#include <sys/prctl.h>

#include <string_view>

#include "base/log.h"
#include "platform/crypto/prepare.h"
#include "platform/ipc/zygote.h"
#include "platform/net/tls_client.h"
#include "platform/net/tls_rehearsal.h"
#include "platform/sandbox/profiles.h"

namespace mailhold::broker {
namespace {

using Serve = std::function<int(ipc::Daemon&)>;

int refuse(const Error& error) {
  log_error("sandbox", "refusing to serve: " + error.detail);
  return 78;
}

// Its own copy of the system's, not one that brokerd gives it: whoever names the authorities decides where secrets go.
void keep_anchors() {
  if (const Status kept = net::keep_system_anchors(net::system_anchors_file); !kept)
    log_warning("authd", kept.error().detail + ": no server is verified whose authority is the system's");
}

int serve_in_jail(const Serve& serve, const std::function<Status()>& close_the_jail) {
  const auto daemon = ipc::Daemon::start("authd", ipc::Threads::one);
  if (const Status closed = close_the_jail(); !closed) return refuse(closed.error());
  return serve(*daemon);
}

// What every copy would do again is done here, once: all that OpenSSL looks up for a session, and its jail, but for what the
// zygote itself needs, with the self-test of the rest.
Status prepare(const sandbox::Profile& zygote, const sandbox::PreparedProfile& jail) {
  crypto::prepare();
  ipc::put_code_on_huge_pages();
  keep_anchors();
  (void)net::TlsClient::create({"anchors.invalid", "system", {}});  // parses them for all copies
  RETURN_IF_ERROR(net::rehearse_tls());
  RETURN_IF_ERROR(sandbox::keep_capabilities({CAP_SETUID, CAP_SETGID}));
  RETURN_IF_ERROR(sandbox::enter(zygote));
  return jail.self_test();
}

int make_copies(const Serve& serve) {
  set_program_name("authd");
  const sandbox::Profile zygote = sandbox::profile_of("authd-zygote", {});
  const auto jail = sandbox::PreparedProfile::make_for_copies(sandbox::profile_of("authd", {}), zygote);
  if (!jail) return refuse(jail.error());
  if (const Status prepared = prepare(zygote, *jail); !prepared) return refuse(prepared.error());
  ::prctl(PR_SET_NAME, "authd-zygote");
  ipc::serve_copies([&] {
    ::prctl(PR_SET_NAME, "authd");
    return serve_in_jail(serve, [&] { return jail->tighten(); });
  });
  return 0;
}

}  // namespace

int run_authd(int count, char** words, const Serve& serve) {
  if (count == 2 && words[1] == std::string_view("zygote")) return make_copies(serve);
  keep_anchors();
  return serve_in_jail(serve, [] { return sandbox::enter(sandbox::profile_of("authd", {})); });
}

}  // namespace mailhold::broker
