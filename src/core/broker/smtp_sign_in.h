// SmtpSignIn: the one use of a route's secret, as authd makes it: what the SMTP dialogue asks for, when TLS is on and the server
// is verified. It must outlive the session's opening. One thread.
#pragma once

#include <optional>
#include <string>

#include "core/broker/broker_messages.h"
#include "core/broker/token_request.h"
#include "core/keys/key_client.h"
#include "formats/sasl/scram.h"
#include "formats/smtp/smtp_client_dialogue.h"

namespace mailhold::broker {

class SmtpSignIn {
 public:
  // `token_server`: connected to the route's token host; closed where there is none.
  SmtpSignIn(keys::KeyClient& keys, const AuthdJob& job, ipc::OwnedFd token_server)
      : keys_(keys), job_(job), token_server_(std::move(token_server)) {}

  // Gives the dialogue what it signs in by. `deadline` is for a token that has to be asked for.
  void offer_to(smtp::ClientSettings& settings, const Deadline& deadline);

 private:
  Result<SecretText> ask(const std::string& template_name);
  Result<SecretText> xoauth2(const Deadline& deadline);
  Result<std::string> scram(int step, std::string_view server);

  keys::KeyClient& keys_;
  const AuthdJob& job_;
  ipc::OwnedFd token_server_;
  SecretText plain_;  // of SCRAM, between its messages
  std::optional<sasl::ScramDialogue> dialogue_;
  sasl::ScramAnswer answer_;
};

}  // namespace mailhold::broker
