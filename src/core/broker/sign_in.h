// SignIn: the one use of a connection's secret, as authd makes it: TLS to the verified server, the best way in that the
// server offers, keyd's answer for this one receipt. What comes out is a session that is signed in. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/access/connection.h"
#include "core/broker/broker_messages.h"
#include "core/broker/relay.h"
#include "core/keys/key_client.h"
#include "formats/sasl/credential.h"
#include "formats/sasl/scram.h"
#include "platform/net/tls_client.h"

namespace mailhold::broker {

// keyd's answers for this job. The receipt is spent by the first of them, so there is one.
class ConnectionSecret {
 public:
  // `token_server`: connected to the connection's token host; closed where there is none.
  ConnectionSecret(keys::KeyClient& keys, const ConnectionJob& job, ipc::OwnedFd token_server)
      : keys_(keys), job_(job), token_server_(std::move(token_server)) {}

  bool is_token() const { return job_.connection.sign_in != access::SignIn::password; }
  Result<SecretText> plain();                          // NUL user NUL password
  Result<SecretText> token(const Deadline& deadline);  // as it was entered, or asked for at the token host
  // The message of PLAIN or XOAUTH2.
  Result<SecretText> of(sasl::Mechanism mechanism, const Deadline& deadline);
  // SCRAM message by message: step 0 is our first, 1 answers the server's first, 2 checks its last.
  Result<std::string> scram(int step, std::string_view server);

 private:
  Result<SecretText> ask(const std::string& template_name, std::string fields);
  keys::KeyClient& keys_;
  const ConnectionJob& job_;
  ipc::OwnedFd token_server_;
  std::optional<sasl::ScramDialogue> dialogue_;
  std::optional<sasl::ScramAnswer> answer_;
};

// A stream to the server with its socket, for waiting.
struct Wire {
  std::unique_ptr<net::Stream> stream;
  int socket = -1;
};

// TLS as the connection asks for it.
Result<std::shared_ptr<net::TlsClient>> tls_client_for(const ConnectionJob& job);

// Each takes a plain connected wire, and leaves one that is signed in; the filter knows what goes on from there.
Result<std::unique_ptr<SessionFilter>> sign_in_imap(Wire& wire, const ConnectionJob& job, ConnectionSecret& secret,
                                                    const Deadline& deadline);
Result<std::unique_ptr<SessionFilter>> sign_in_pop3(Wire& wire, const ConnectionJob& job, ConnectionSecret& secret,
                                                    const Deadline& deadline);

Result<std::unique_ptr<SessionFilter>> sign_in_ldap(Wire& wire, const ConnectionJob& job, ConnectionSecret& secret,
                                                    const Deadline& deadline);

}  // namespace mailhold::broker
