// AcceptedMessage: all that is known about a message besides its bytes, the head of its spool item.
// gatewayd in writes it before the 250 leaves; gatewayd out reads it to store, hold or queue the
// message and to tell its story in the trace.
//
// Bytes: docs/formats/accepted-message.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

namespace mailhold::gateway {

enum class Disposition : std::uint8_t {
  deliver,   // goes to the queue
  held,      // kept for an administrator's decision; the sender got 250
  rejected,  // refused in the session: the body is empty and this record is for the trace only
};

// Why a message got its disposition, in the order found. `code` is a stable word ("virus", "dmarc_reject").
struct ReasonLine {
  std::string code;
  std::string text;
  friend bool operator==(const ReasonLine&, const ReasonLine&) = default;
};

struct AttachmentFact {
  std::string name;        // decoded, UTF-8
  std::string type;        // by content, as the scanner typed it
  std::uint64_t size = 0;  // decoded bytes
  std::string sha256;      // of the decoded content, 64 hex digits, or empty
  friend bool operator==(const AttachmentFact&, const AttachmentFact&) = default;
};

// A leaf body in the body of the spool item, for the store.
struct BodySpan {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool base64 = false;  // the store may keep it decoded
  friend bool operator==(const BodySpan&, const BodySpan&) = default;
};

struct AcceptedMessage {
  Id message;  // as in the spool item; also the queue id in replies and Received
  Id tenant;
  Milliseconds accepted_at = 0;

  // How it came.
  std::string client_ip;  // "192.0.2.1" or "2001:db8::1"
  std::string helo;
  std::string tls;                   // "TLSv1.3 TLS_AES_256_GCM_SHA384", empty without TLS
  std::string mail_from;             // empty: the null sender
  std::vector<std::string> rcpt_to;  // at least one; addresses as given
  bool eight_bit = false;            // BODY=8BITMIME was given
  std::uint64_t size = 0;            // bytes as received, before anything was added

  // What became of it.
  Disposition disposition = Disposition::deliver;
  std::string held_for;  // code of the reason that decided; empty when delivered
  std::string reply;     // what the client was told when rejected
  std::vector<ReasonLine> reasons;

  // What the scanner saw; empty when the tenant's scan mode is none.
  bool scanned = false;
  std::string header_from;       // address of the author
  std::string subject;           // decoded, UTF-8
  std::string message_id;        // without angle brackets
  std::string spf, dkim, dmarc;  // results as in Authentication-Results: "pass", "fail", ...
  std::string virus;             // name of the signature found
  std::uint32_t links = 0;       // links found
  std::uint32_t links_rewritten = 0;
  std::vector<AttachmentFact> attachments;
  std::vector<BodySpan> layout;  // ascending, not overlapping, inside the body

  friend bool operator==(const AcceptedMessage&, const AcceptedMessage&) = default;
};

// Limits: 1,000 recipients, 256 reasons, 1,024 attachments, 4,096 spans, 4 KiB for a text; more is cut
// off when writing (a recipient never: it is the writer's bug) and corrupt when reading.
std::string write_accepted(const AcceptedMessage& message);
Result<AcceptedMessage> parse_accepted(std::string_view head);

}  // namespace mailhold::gateway
