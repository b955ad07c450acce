// The client side of an SMTP session (RFC 5321) as a pure state machine: server bytes go in,
// commands, message bytes and outcomes come out. No sockets, no clock, no threads.
//
//   ClientDialogue dialogue({.our_name = "mx.example.net"});
//   until dialogue.wants() == Wants::message:
//     send each next_to_send(); then receive(what the server said), or do TLS and tls_started()
//   dialogue.submit(envelope, body);   and the same until next_outcome() gives one
//
// The server is not trusted: a reply nobody asked for, a success before the message was sent,
// replies without end are errors, and no error ever turns into a delivered recipient. What was
// delivered before an error is still handed out by next_outcome().
//
// Design: docs/flows/delivery.md
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret_text.h"
#include "formats/smtp/smtp_reply.h"

namespace mailhold::smtp {

enum class TlsRule { none, opportunistic, required };

// Gives the argument of AUTH PLAIN: base64 of "authzid NUL authcid NUL password" (RFC 4616). Called once, after TLS is on
// and the server has offered PLAIN, or LOGIN, which is made of the same. An error ends the dialogue with that error.
using PlainCredential = std::function<Result<SecretText>()>;
// SCRAM-SHA-256 message by message: step 0 gives our first, 1 answers the server's first, 2 checks its last and gives nothing.
// Taken before PLAIN where it is there and the server offers it.
using ScramCredential = std::function<Result<std::string>(int step, std::string_view server)>;

// Gives base64 of the message of XOAUTH2, once, when TLS is on and the server has asked for it.
using TokenCredential = std::function<Result<SecretText>()>;

struct ClientSettings {
  std::string our_name;  // for EHLO: a domain or an address literal
  TlsRule tls = TlsRule::required;
  bool tls_is_on = false;  // the stream is encrypted from the start (RFC 8314)
  // How to sign in; none of them: no AUTH. With any of them TLS must be on, whatever `tls` says.
  PlainCredential authenticate;
  ScramCredential scram{};    // beside `authenticate`
  TokenCredential xoauth2{};  // instead of both: a token, and no password
  bool signs_in() const { return authenticate || xoauth2; }
};

struct ClientEnvelope {
  std::string mail_from;             // without brackets; empty: the null reverse-path
  std::vector<std::string> rcpt_to;  // 1..1,000; a mailbox with CR, LF, space outside quotes or brackets is refused
  std::string envelope_id;           // ENVID (RFC 3461), printable ASCII, only sent where DSN is offered; may be empty
};

enum class RecipientResult { delivered, deferred, failed };

struct RecipientOutcome {
  RecipientResult result = RecipientResult::deferred;
  Reply reply;  // what decided
};

// What became of one submitted message: one entry for each recipient, in the order of the envelope.
struct SubmissionOutcome {
  std::vector<RecipientOutcome> recipients;
  bool is_untried = false;  // the connection was gone before the message was out: it may be tried again at once
};

class ClientDialogue {
 public:
  enum class Wants {
    reply,    // more bytes from the server
    tls,      // the TLS handshake now; then tls_started()
    message,  // the session is open and idle: submit(), or quit()
    nothing,  // over: close the connection
  };

  explicit ClientDialogue(ClientSettings settings);

  // Takes the bytes that arrived. invalid_input or limit_exceeded: the server breaks the protocol; denied: the server
  // offers no TLS or no way of AUTH where they are required, or refused the credential; unavailable: it refused the session
  // or closes it. After an error the dialogue is over.
  Status receive(std::string_view bytes);

  // The next bytes to send; empty when there is nothing to say. A chunk may hold the credential: wipe it after sending.
  std::optional<std::string> next_to_send();

  // Sending a message may go on while nothing is read; a server may stop us early. True while message bytes are left.
  bool has_more_to_send() const { return !to_send_.empty() || !body_rest_.empty() || body_is_open_; }

  Wants wants() const { return wants_; }

  // The stream is encrypted now. What the server said before is forgotten and EHLO is sent again.
  void tls_started();

  // Wants::message only. The body must outlive its outcome: whole lines ended by CRLF; bare CR or LF are sent as CRLF,
  // a missing last CRLF is added, lines starting with a dot are stuffed. invalid_input for an envelope no command can carry.
  Status submit(const ClientEnvelope& envelope, std::string_view body);
  std::optional<SubmissionOutcome> next_outcome();

  // Says QUIT (at Wants::message); nothing more can be submitted. Waiting for the reply is a courtesy.
  void quit();

  // What is sent may hold the credential.
  bool is_authenticating() const { return step_ == Step::auth; }

  // True once the last byte of the current message is handed out: if the connection ends before its
  // outcome, the server may have it (RFC 1047).
  bool message_is_out() const { return step_ == Step::end_of_data; }
  int messages_submitted() const { return messages_; }
  bool tls_is_on() const { return settings_.tls_is_on; }

  // The reply that ended the session or refused it, if one did.
  const std::optional<Reply>& refusal() const { return refusal_; }

  // What the server offered in its last EHLO reply.
  struct Offers {
    bool pipelining = false, eight_bit = false, starttls = false, auth_plain = false, auth_login = false, auth_scram = false,
         auth_xoauth2 = false, dsn = false, enhanced = false, size = false;
    std::uint64_t size_max = 0;  // 0: no fixed limit
  };
  const Offers& offers() const { return offers_; }

 private:
  enum class Step { greeting, ehlo, helo, starttls, tls, auth, idle, transaction, body, end_of_data, reset, quit, over };
  enum class Command : std::uint8_t { mail, rcpt, data };

  Status take(const Reply& reply);
  Status take_greeting(const Reply& reply);
  Status take_ehlo(const Reply& reply);
  Status take_starttls(const Reply& reply);
  Status take_auth(const Reply& reply);
  Status take_transaction(const Reply& reply);
  Status take_end_of_data(const Reply& reply);
  Status take_body_reply(const Reply& reply);
  Status after_hello();
  Status say_auth();
  Status answer_challenge(const Reply& reply);
  void say_secret(std::string_view before, std::string_view secret);
  void become_idle();
  void say(std::string line, Step next);
  void say_mail();
  void say_more_of_transaction();
  void begin_body();
  void end_transaction(bool needs_reset);
  void decide_undecided(const Reply& reply);
  Status refuse(ErrorKind kind, const Reply& reply);
  Status end_with(Error error);
  std::string next_body_chunk();

  ClientSettings settings_;
  ReplyReader replies_;
  Step step_ = Step::greeting;
  enum class AuthWay { plain, login, scram, xoauth2 } auth_way_ = AuthWay::plain;
  int challenges_ = 0;
  SecretText login_password_;  // base64, until it is said
  Wants wants_ = Wants::reply;
  Offers offers_;
  std::deque<std::string> to_send_;
  int messages_ = 0;
  std::optional<Reply> refusal_;

  // The message under way.
  ClientEnvelope envelope_;
  std::string_view body_rest_;
  bool body_is_open_ = false;  // the final dot has not been handed out
  bool body_at_line_start_ = true;
  std::deque<Command> expected_;  // commands sent whose replies are awaited
  std::size_t next_recipient_said_ = 0;
  std::size_t next_recipient_answered_ = 0;
  std::size_t accepted_ = 0;  // recipients the server took
  bool data_said_ = false;
  bool mail_refused_ = false;
  std::vector<std::optional<RecipientOutcome>> decided_;
  std::optional<SubmissionOutcome> outcome_;
};

}  // namespace mailhold::smtp
