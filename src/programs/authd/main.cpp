// authd: one session with one tenant's server, with one secret for the length of AUTH; then it ends.
#include "core/broker/authd_process.h"
#include "core/broker/authd_session.h"
#include "core/keys/key_client.h"

int main(int count, char** words) {
  using namespace mailhold;
  return broker::run_authd(count, words, [](ipc::Daemon& daemon) {
    keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
    broker::AuthdSession session(keys, [&] { daemon.stop(); });
    return daemon.run_alone([&](const std::shared_ptr<ipc::Call>& call) { session.handle(call); });
  });
}
