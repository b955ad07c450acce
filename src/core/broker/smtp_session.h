// SmtpSession: an SMTP client session over a Stream: the dialogue, the upgrade to TLS and the time
// limits of RFC 5321 section 4.5.3.2. Used by gatewayd out for routes without a credential and by
// authd, which adds the credential. One thread at a time.
#pragma once

#include <memory>
#include <string_view>

#include "formats/smtp/smtp_client_dialogue.h"
#include "platform/net/stream.h"
#include "platform/net/tls_client.h"

namespace mailhold::broker {

struct SmtpTimes {
  std::chrono::milliseconds opening{60'000};       // greeting, EHLO, TLS and AUTH together
  std::chrono::milliseconds command{300'000};      // MAIL, RCPT, DATA
  std::chrono::milliseconds block{180'000};        // one block of the message
  std::chrono::milliseconds end_of_data{600'000};  // the reply that takes responsibility
};

class SmtpSession {
 public:
  // Returns when the server takes messages: encrypted and signed in where the settings ask for it. `tls` may be null when
  // settings.tls is none. Errors are those of ClientDialogue::receive and TlsClient::start; `refusal`, if given, gets the
  // server's own words when it was the server that said no.
  static Result<std::unique_ptr<SmtpSession>> open(std::unique_ptr<net::Stream> stream, std::shared_ptr<net::TlsClient> tls,
                                                   smtp::ClientSettings settings, SmtpTimes times, const Deadline& deadline,
                                                   std::optional<smtp::Reply>* refusal = nullptr);
  ~SmtpSession();

  // One outcome for each recipient. What the server did not answer any more is deferred with a reply 451 4.4.2 of our own;
  // a final 250 that was seen is always reported. invalid_input only: this envelope cannot be sent at all.
  Result<smtp::SubmissionOutcome> deliver(const smtp::ClientEnvelope& envelope, std::string_view body, const Deadline& deadline);

  bool is_open() const;  // another message may be delivered
  bool tls_is_on() const { return dialogue_.tls_is_on(); }
  int messages() const { return dialogue_.messages_submitted(); }
  void close(const Deadline& deadline);  // QUIT, without waiting long for the reply

 private:
  SmtpSession(std::unique_ptr<net::Stream> stream, smtp::ClientSettings settings, SmtpTimes times);
  Status become_ready(const std::shared_ptr<net::TlsClient>& tls, const Deadline& deadline);
  Status send_what_is_due(const Deadline& deadline);
  Status read_once(std::chrono::milliseconds limit, const Deadline& deadline);
  Status transfer(const Deadline& deadline, std::optional<smtp::SubmissionOutcome>& outcome);

  std::unique_ptr<net::Stream> stream_;
  smtp::ClientDialogue dialogue_;
  SmtpTimes times_;
  bool broken_ = false;
};

}  // namespace mailhold::broker
