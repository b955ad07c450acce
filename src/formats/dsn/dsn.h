// Delivery status notices (RFC 3464 in a multipart/report, RFC 6522): what a sender is told about
// recipients that failed, are late, or are given up. English text, the machine part, and the header fields of the
// original message only (text/rfc822-headers): the body never travels back.
// A notice goes out with the null reverse-path and is never answered by another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace mailhold::dsn {

enum class Action { failed, delayed };

struct Recipient {
  std::string address;     // final recipient, as in the envelope
  std::string status;      // "5.1.1"; replaced by 5.0.0 or 4.0.0 when it does not fit the action
  std::string diagnostic;  // the server's reply: "550 5.1.1 no such user"; may be empty
  std::string remote_mta;  // name of the server; may be empty
  Milliseconds last_attempt = 0;
};

struct Notice {
  Action action = Action::failed;
  std::string reporting_mta;    // our name
  std::string message_id;       // of the notice, without brackets
  std::string original_sender;  // its address: the notice goes there
  std::string queue_id;         // ours, hex
  std::string envelope_id;      // original ENVID; may be empty
  Milliseconds arrived_at = 0;
  Milliseconds written_at = 0;
  Milliseconds will_retry_until = 0;  // delayed only
  std::vector<Recipient> recipients;  // at least one
  std::string_view original;          // the message; its header block is quoted, up to 64 KiB
};

// True for the null sender, and for senders a notice must never go to (mailer-daemon, or a message that says it is itself
// automatic: Auto-Submitted other than "no", RFC 3834): nothing may be sent.
bool must_not_notify(std::string_view mail_from, std::string_view original);

// The whole message, CRLF lines, ASCII only where the original's header block is.
std::string write_notice(const Notice& notice);

}  // namespace mailhold::dsn
