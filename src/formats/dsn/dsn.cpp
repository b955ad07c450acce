#include "formats/dsn/dsn.h"

#include <algorithm>

#include "base/random.h"
#include "base/text.h"

namespace mailhold::dsn {
namespace {

constexpr std::size_t header_bytes_max = 64 * 1024;
constexpr std::size_t field_bytes_max = 900;  // a line has at most 998 (RFC 5322 section 2.1.1)

// One line of printable ASCII: nothing from outside can begin a field or a part of its own.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char letter : text.substr(0, field_bytes_max))
    line += letter >= 0x20 && letter < 0x7f ? letter : letter == '\t' ? ' ' : '?';
  return line;
}

// The header block up to and with its last CRLF, without the empty line; a cut one ends at a whole line.
std::string_view header_block(std::string_view message) {
  const std::size_t empty_line = message.find("\r\n\r\n");
  std::string_view block = message.substr(0, empty_line == std::string_view::npos ? message.size() : empty_line + 2);
  if (block.size() > header_bytes_max) {
    const std::size_t end = block.rfind("\r\n", header_bytes_max - 2);
    block = block.substr(0, end == std::string_view::npos ? 0 : end + 2);
  }
  return block.ends_with("\r\n") ? block : std::string_view();
}

// The unfolded value of the first field of that name.
std::string field_value(std::string_view block, std::string_view name) {
  std::string value;
  bool inside = false;
  for (std::string_view line : split(block, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool goes_on = !line.empty() && (line[0] == ' ' || line[0] == '\t');
    if (inside && !goes_on) return value;
    if (!inside) inside = starts_with_ignoring_case(line, std::string(name) + ":");
    if (inside) value.append(goes_on ? line : line.substr(std::min(line.size(), name.size() + 1)));
  }
  return value;
}

bool has_eight_bit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; });
}

// RFC 3463: class.subject.detail; the class must say what the action says.
std::string fitting_status(const Recipient& recipient, Action action) {
  const char wanted = action == Action::failed ? '5' : '4';
  const auto pieces = split(recipient.status, '.');
  const bool is_status = pieces.size() == 3 && std::all_of(pieces.begin(), pieces.end(), [](std::string_view piece) {
                           return piece.size() <= 3 && to_number(piece).has_value();
                         });
  if (is_status && pieces[0].size() == 1 && (pieces[0][0] == wanted || (action == Action::failed && pieces[0][0] == '4')))
    return recipient.status;
  return std::string(1, wanted) + ".0.0";
}

std::string explanation(const Notice& notice) {
  const bool failed = notice.action == Action::failed;
  std::string text = "This is the mail system at " + one_line(notice.reporting_mta) + ".\r\n\r\n";
  text += failed ? "Your message could not be delivered to the recipients below. It will not\r\nbe tried again.\r\n"
                 : "Your message has not been delivered to the recipients below yet. You need\r\nnot send it again: delivery is "
                   "tried until\r\n" +
                       to_rfc5322(notice.will_retry_until) + ".\r\n";
  for (const Recipient& recipient : notice.recipients) {
    text += "\r\n<" + one_line(recipient.address) + ">\r\n";
    if (!recipient.remote_mta.empty()) text += "  server: " + one_line(recipient.remote_mta) + "\r\n";
    text += "  reason: " +
            (recipient.diagnostic.empty() ? fitting_status(recipient, notice.action) : one_line(recipient.diagnostic)) + "\r\n";
  }
  text += "\r\nThe header of your message is attached; its content is not.\r\n";
  return text;
}

// RFC 3464 section 2: a group for the message, then one for each recipient.
std::string machine_part(const Notice& notice) {
  std::string text = "Reporting-MTA: dns; " + one_line(notice.reporting_mta) + "\r\n";
  if (!notice.envelope_id.empty()) text += "Original-Envelope-Id: " + one_line(notice.envelope_id) + "\r\n";
  text += "X-Mailhold-Queue-Id: " + one_line(notice.queue_id) + "\r\n";
  text += "Arrival-Date: " + to_rfc5322(notice.arrived_at) + "\r\n";
  for (const Recipient& recipient : notice.recipients) {
    text += "\r\nFinal-Recipient: rfc822; " + one_line(recipient.address) + "\r\n";
    text += std::string("Action: ") + (notice.action == Action::failed ? "failed" : "delayed") + "\r\n";
    text += "Status: " + fitting_status(recipient, notice.action) + "\r\n";
    if (!recipient.remote_mta.empty()) text += "Remote-MTA: dns; " + one_line(recipient.remote_mta) + "\r\n";
    if (!recipient.diagnostic.empty()) text += "Diagnostic-Code: smtp; " + one_line(recipient.diagnostic) + "\r\n";
    if (recipient.last_attempt != 0) text += "Last-Attempt-Date: " + to_rfc5322(recipient.last_attempt) + "\r\n";
    if (notice.action == Action::delayed) text += "Will-Retry-Until: " + to_rfc5322(notice.will_retry_until) + "\r\n";
  }
  return text;
}

// Anything that has no one waiting for a notice.
bool is_automatic_sender(std::string_view mail_from) {
  const std::string local = to_lower(mail_from.substr(0, mail_from.rfind('@')));
  return local == "mailer-daemon";
}

}  // namespace

bool must_not_notify(std::string_view mail_from, std::string_view original) {
  if (mail_from.empty() || mail_from.find('@') == std::string_view::npos || is_automatic_sender(mail_from)) return true;
  const std::string block(header_block(original));
  const std::string automatic = field_value(block, "Auto-Submitted");
  return !trim(automatic).empty() && !starts_with_ignoring_case(trim(automatic), "no");
}

std::string write_notice(const Notice& notice) {
  const std::string_view original = header_block(notice.original);
  const std::string boundary = "=_" + to_hex(random_bytes(16));  // cannot be guessed, so it cannot stand in the original
  const bool failed = notice.action == Action::failed;
  const bool eight_bit = has_eight_bit(original);
  std::string text;
  text += "Date: " + to_rfc5322(notice.written_at) + "\r\n";
  text += "From: Mail Delivery System <mailer-daemon@" + one_line(notice.reporting_mta) + ">\r\n";
  text += "To: <" + one_line(notice.original_sender) + ">\r\n";
  text += std::string("Subject: ") + (failed ? "Your message could not be delivered" : "Your message is delayed") + "\r\n";
  text += "Message-ID: <" + one_line(notice.message_id) + ">\r\n";
  if (const std::string original_id(trim(field_value(original, "Message-ID")));
      original_id.starts_with('<') && original_id.size() < 500) {
    text += "In-Reply-To: " + one_line(original_id) + "\r\nReferences: " + one_line(original_id) + "\r\n";
  }
  text += "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";
  text += "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"" + boundary + "\"\r\n\r\n";
  text += "--" + boundary + "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + explanation(notice) + "\r\n";
  text += "--" + boundary + "\r\nContent-Type: message/delivery-status\r\n\r\n" + machine_part(notice) + "\r\n";
  text += "--" + boundary + "\r\nContent-Type: text/rfc822-headers\r\n";
  if (eight_bit) text += "Content-Transfer-Encoding: 8bit\r\n";
  text += "\r\n" + std::string(original) + "\r\n--" + boundary + "--\r\n";
  return text;
}

}  // namespace mailhold::dsn
