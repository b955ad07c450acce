// scan: everything that is decided about one message by looking at it. A pure function of the
// request, save for what it asks through Answers; it runs in a jailed worker process, and in
// tests directly. It changes no byte itself: it returns splices, which the gateway applies.
// Policy (reject, hold, tag) is the gateway's: the result only says what was found.
//
// Design: docs/flows/scanning.md, docs/formats/scanning.md
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "formats/mail/splice.h"

namespace mailhold::dns {
struct Question;
struct Answer;
}  // namespace mailhold::dns

namespace mailhold::scanning {

struct ScanRequest {
  Id tenant;              // decides which worker may see the message
  std::string client_ip;  // "192.0.2.1" or "2001:db8::1"
  std::string helo;
  std::string mail_from;  // without brackets; empty: the null reverse-path
  std::vector<std::string> rcpt_to;
  std::string authserv_id;                  // ours, for Authentication-Results (RFC 8601 section 2.2)
  std::string link_base;                    // "https://links.example.net/": URLs that begin so are not wrapped again
  std::vector<std::string> tenant_domains;  // lower case
  bool rewrite_links = true;
  bool ask_clamd = false;  // true: a clamd is configured, and messages with attachments are shown to it
  Milliseconds received_at = 0;
  std::string_view content;  // the whole message as received, CRLF lines; must outlive the call
};

// What the scan cannot know by itself. Answers may come from another process, so none of
// them is trusted to be well formed.
class Answers {
 public:
  virtual ~Answers() = default;

  // One answer for each question, in order; a question that cannot be answered gets a
  // temporary failure. At most 64 questions in one call.
  virtual std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) = 0;

  // The replacement for each URL, in order; an empty one leaves that link as it is.
  virtual std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) = 0;

  // A stream socket connected to clamd, which the caller closes. unavailable when it is away.
  virtual Result<int> connect_clamd(const Deadline&) = 0;
};

// Why something was found. The code is stable and may stand in logs ("malformed.two_boundaries");
// the text is English for the operator and quotes nothing from the message but type names.
struct Reason {
  std::string code;
  std::string text;
};

struct Attachment {
  std::string name;        // decoded to UTF-8, no control characters, at most 255 bytes; empty when it had none
  std::string type;        // by its content: "application/pdf"
  std::uint64_t size = 0;  // decoded bytes
  std::string sha256;      // of the decoded content, 64 hex digits
};

// For the trace and for the console; all text UTF-8 without control characters.
struct Facts {
  std::string subject;                  // at most 998 bytes
  std::vector<std::string> from;        // addresses (addr-spec) of the From fields, at most 16
  std::string message_id;               // without brackets, at most 998 bytes
  std::vector<Attachment> attachments;  // at most 200
  std::uint32_t link_count = 0;
};

// Result words of RFC 8601 section 2.7: pass, fail, softfail, neutral, none, temperror, permerror, policy.
struct Authentication {
  std::string spf = "none";
  std::string dkim = "none";  // the best of all signatures
  std::string dmarc = "none";
  std::string dmarc_policy;  // none, quarantine, reject: what the author domain asks for; empty without a record
  std::string field;         // value of the Authentication-Results field to prepend: folded, no CRLF at its end
};

// What was found, one flag for each thing a policy can act on; reasons say more.
struct Findings {
  std::string virus;          // name; empty: none found
  std::string blocked_type;   // type of the worst attachment ("application/x-dosexec"); empty: none
  bool dmarc_reject = false;  // DMARC failed and the author domain asks for rejection (after pct)
  bool dmarc_quarantine = false;
  bool malformed = false;           // readers could see different messages: hold it
  bool unscannable = false;         // a limit was hit or the worker died: hold it
  bool virus_scan_missing = false;  // clamd was asked for and did not answer: the gateway answers 451
  bool protected_content = false;   // signed or encrypted parts, left byte for byte
};

// Replaces `length` bytes at `offset` of the original message.
using Splice = mail::Splice;

// A leaf body of the final message (after the splices, before anything is prepended), for
// the store: parts are kept decoded once, so that equal attachments are stored once.
struct BodySpan {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool base64 = false;  // Content-Transfer-Encoding of the part; the store proves that re-encoding gives the same bytes
};

struct ScanResult {
  Findings findings;
  std::vector<Reason> reasons;  // at most 64
  Facts facts;
  Authentication authentication;
  std::vector<Splice> splices;   // sorted by offset, never overlapping, all within the message
  std::vector<BodySpan> layout;  // sorted, never overlapping, all within the final message
};

// Bounds of one scan; what exceeds them gives findings.unscannable, never a longer scan.
struct Limits {
  std::size_t message_bytes_max = 64u << 20;
  std::size_t parts_max = 2000;
  std::size_t depth_max = 50;
  std::size_t headers_max = 20000;             // of all parts together
  std::size_t links_max = 2000;                // further links are left as they are, with a reason
  std::size_t decoded_bytes_max = 128u << 20;  // over all readings of all parts
  std::size_t replaced_bytes_max = 96u << 20;  // over all splices
};

// Never fails: what cannot be read is said by the findings.
ScanResult scan_message(const ScanRequest& request, Answers& answers, const Deadline& deadline, const Limits& limits = {});

// The message with the splices applied; corrupt if they are unsorted, overlap, or leave the message.
using mail::apply_splices;

// Loads what the checks need from files (file types, converters, suffix list). Once per
// process, before the sandbox closes; scan_message works without, but knows fewer types.
Status load_scan_tables();

}  // namespace mailhold::scanning
