// AuthdSession: what an authd does, once, and then ends. It makes TLS on the socket it was given, checks the
// server's name or pin, has keyd open the secret for this one use, signs in, and from then on sends what the gateway
// submits as structure, or relays a worker's session (connection_session.h). It cannot connect, open a file or run a program; the
// secret is wiped once the server took it.
//
// One job for each process. `session` answers when the session is open; `finish` when it is over.
// Design: docs/flows/use-of-a-secret.md
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "core/broker/broker_messages.h"
#include "core/broker/smtp_session.h"
#include "core/keys/key_client.h"
#include "platform/ipc/server.h"

namespace mailhold::broker {

class AuthdSession {
 public:
  // `over` is called once, when the process may end.
  AuthdSession(keys::KeyClient& keys, std::function<void()> over) : keys_(keys), over_(std::move(over)) {}

  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  void serve_connection(const std::shared_ptr<ipc::Call>& call);
  Result<std::unique_ptr<SmtpSession>> open(const AuthdJob& job, ipc::OwnedFd socket, ipc::OwnedFd token_server);
  void serve_gateway(ipc::Channel& gateway, SmtpSession& session, const std::string& envelope_id);
  Status serve_one(ipc::Channel& gateway, SmtpSession& session, const std::string& envelope_id, bool& goes_on);
  void end(std::string why);

  keys::KeyClient& keys_;
  const std::function<void()> over_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool taken_ = false;  // guarded by mutex_, as are the next two
  SessionReport report_;
  bool is_over_ = false;
};

}  // namespace mailhold::broker
