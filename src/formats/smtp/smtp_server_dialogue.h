// ServerDialogue: the server's side of an SMTP session (RFC 5321) as a state machine: bytes go
// in, replies and events come out. It checks syntax, order and limits; who may send to whom is
// asked of SessionRules. It announces PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES and
// STARTTLS. No sockets, clocks or threads; one dialogue is used by one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/smtp/smtp_address.h"
#include "formats/smtp/smtp_reply.h"
#include "formats/smtp/smtp_server_content.h"

namespace mailhold::smtp {

struct ServerSettings {
  std::string host_name;  // in the greeting and in the reply to EHLO
  bool offer_starttls = false;
  BareNewlines bare_newlines = BareNewlines::reject;
  std::uint64_t message_bytes_max = 50u << 20;
  std::uint32_t recipients_max = 100;       // RFC 5321 section 4.5.3.1.8 asks for at least 100
  std::uint32_t errors_max = 20;            // refused commands in a session, then 421
  std::uint32_t unknown_commands_max = 10;  // then 421
  std::uint32_t messages_max = 10'000;      // transactions in a session, then 421
};

struct MailParameters {
  Address from;            // the null path for bounces
  std::uint64_t size = 0;  // SIZE=, zero when not given
  bool eight_bit = false;  // BODY=8BITMIME
};

// What the owner of the session decides. A returned Reply refuses; nothing accepts.
class SessionRules {
 public:
  virtual ~SessionRules() = default;
  virtual std::optional<Reply> refuse_mail(const MailParameters& mail) = 0;
  virtual std::optional<Reply> refuse_recipient(const Address& recipient) = 0;
  // The transaction ended, was reset, or never began: forget what it was about.
  virtual void forget_transaction() = 0;
};

struct ReceivedMessage {
  MailParameters mail;
  std::vector<Address> recipients;
  std::string content;  // dot-stuffing undone, CRLF lines
};

class ServerDialogue {
 public:
  // Both must outlive the dialogue.
  ServerDialogue(const ServerSettings& settings, SessionRules& rules) : settings_(settings), rules_(rules) {}

  enum class Event {
    need_input,  // all input is used
    message,     // take_message(), then finish_message(); no run() in between
    start_tls,   // send the output, shake hands, then tls_started(); input that came too early is gone
    close,       // send the output and close
  };

  // The greeting: put into the output before anything else.
  void greet();
  // Uses the front of `input` until something has to be done. Replies collect in output().
  Event run(std::string_view& input);

  ReceivedMessage take_message();
  // The reply to the end of data; ends the transaction.
  void finish_message(const Reply& reply);
  // RFC 3207 section 4.2: the session begins anew; nothing the client said before counts.
  void tls_started();
  // For timeouts and shutdown: puts a 421 into the output; the next event is close.
  void give_up(std::string_view enhanced, std::string_view text);

  std::string& output() { return output_; }
  const std::string& helo() const { return helo_; }
  bool is_extended() const { return extended_; }  // EHLO rather than HELO
  bool in_transaction() const { return has_mail_; }
  bool in_content() const { return state_ == State::content; }
  std::uint64_t content_bytes() const { return content_.bytes_seen(); }

 private:
  enum class State : std::uint8_t { commands, content, message, closed };
  struct Command {
    std::string_view verb, argument;
  };

  bool take_line(std::string_view& input);
  Event run_content(std::string_view& input);
  Event run_line(std::string_view line);
  Event dispatch(const Command& command);
  void ehlo(std::string_view name, bool extended);
  void mail(std::string_view argument);
  void rcpt(std::string_view argument);
  void data(std::string_view argument);
  Event starttls(std::string_view argument);
  Event unknown(std::string_view verb);
  bool read_mail_parameters(std::string_view text, MailParameters& mail);

  void say(int code, std::string_view enhanced, std::string_view text);
  void refuse(const Reply& reply);
  void refuse(int code, std::string_view enhanced, std::string_view text);
  void reset();
  Event close();

  const ServerSettings& settings_;
  SessionRules& rules_;
  std::string line_;  // an unfinished command line
  std::string output_;
  std::string helo_;
  MailParameters mail_;
  std::vector<Address> recipients_;
  ContentReader content_;
  std::uint32_t errors_ = 0, unknown_ = 0, messages_ = 0;
  State state_ = State::commands;
  bool has_mail_ = false, extended_ = false, secured_ = false, line_too_long_ = false;
};

}  // namespace mailhold::smtp
