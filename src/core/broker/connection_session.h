// ConnectionSession: one session on a connection, as authd serves it: it signs in, hands the worker a plain session that
// is open already, and lets pass what the purpose allows and the meter grants. One thread.
#pragma once

#include <functional>
#include <string>

#include "core/broker/broker_messages.h"
#include "core/broker/http_session.h"
#include "core/broker/sign_in.h"

namespace mailhold::broker {

class ConnectionSession {
 public:
  struct Ends {
    ipc::OwnedFd server;        // connected, no TLS yet
    ipc::OwnedFd worker;        // plain bytes of the protocol
    ipc::OwnedFd meter;         // SessionMeter
    ipc::OwnedFd token_server;  // connected; only for client assertions
  };
  ConnectionSession(keys::KeyClient& keys, ConnectionJob job, Ends ends)
      : job_(std::move(job)),
        secret_(keys, job_, std::move(ends.token_server)),
        ends_(std::move(ends)),
        meter_(std::move(ends_.meter)) {}

  // Signed in when it returns. Errors as Broker::open_connection.
  Status open();
  // Until the session is over.
  SessionReport serve();

 private:
  ConnectionJob job_;
  ConnectionSecret secret_;
  Ends ends_;
  SessionMeter meter_;
  Wire wire_;
  std::unique_ptr<SessionFilter> filter_;  // of what is relayed
  std::unique_ptr<HttpSession> http_;      // instead, of HTTP
};

}  // namespace mailhold::broker
