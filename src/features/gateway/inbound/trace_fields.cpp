#include "features/gateway/inbound/trace_fields.h"

#include "base/text.h"

namespace mailhold::gateway {
namespace {

// Only what a domain or an address literal may hold goes into our header as it was said.
std::string harmless(std::string_view helo) {
  std::string out;
  for (const char c : helo.substr(0, 255)) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                      c == '_' || c == ':' || c == '[' || c == ']';
    out += fine ? c : '?';
  }
  return out.empty() ? "unknown" : out;
}

std::string literal(std::string_view ip) {
  return ip.find(':') == std::string_view::npos ? "[" + std::string(ip) + "]" : "[IPv6:" + std::string(ip) + "]";
}

}  // namespace

std::string received_field(const Arrival& arrival) {
  std::string field;
  field.reserve(400);
  field.append("Received: from ")
      .append(harmless(arrival.helo))
      .append(" (")
      .append(literal(arrival.client_ip))
      .append(")\r\n\tby ");
  // RFC 3848: the S says that TLS was used.
  field.append(arrival.host_name).append(" with ").append(!arrival.extended ? "SMTP" : arrival.tls.empty() ? "ESMTP" : "ESMTPS");
  field.append(" id ").append(arrival.message.text());
  if (!arrival.tls.empty()) field.append("\r\n\t(").append(arrival.tls).append(")");
  if (!arrival.only_recipient.empty()) field.append("\r\n\tfor <").append(arrival.only_recipient).append(">");
  field.append(";\r\n\t").append(to_rfc5322(arrival.at)).append("\r\n");
  return field;
}

std::uint32_t count_received(std::string_view content) {
  std::uint32_t count = 0;
  while (!content.empty() && content.front() != '\r') {
    if (starts_with_ignoring_case(content, "Received:")) ++count;
    const std::size_t end = content.find('\n');
    if (end == std::string_view::npos) break;
    content.remove_prefix(end + 1);
  }
  return count;
}

Result<std::string> assemble(std::string_view prefix, std::string_view content, std::span<const scanning::Splice> splices) {
  std::size_t size = prefix.size() + content.size();
  for (const scanning::Splice& splice : splices) size += splice.replacement.size();
  std::string out;
  out.reserve(size);
  out.append(prefix);
  std::uint64_t at = 0;
  for (const scanning::Splice& splice : splices) {
    if (splice.offset < at || splice.offset > content.size() || splice.length > content.size() - splice.offset) {
      return Error{ErrorKind::corrupt, "splices do not fit the message"};
    }
    out.append(content.substr(at, splice.offset - at)).append(splice.replacement);
    at = splice.offset + splice.length;
  }
  out.append(content.substr(at));
  return out;
}

bool has_only_crlf(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return false;
  std::size_t at = 0;
  for (std::size_t lf = text.find('\n'); lf != std::string_view::npos; lf = text.find('\n', at)) {
    if (lf == at || text[lf - 1] != '\r' || text.substr(at, lf - 1 - at).find('\r') != std::string_view::npos) return false;
    at = lf + 1;
  }
  return text.substr(at).find('\r') == std::string_view::npos;
}

bool is_folded(std::string_view value) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '\r') {
      if (i + 2 >= value.size() || value[i + 1] != '\n' || (value[i + 2] != ' ' && value[i + 2] != '\t')) return false;
      i += 2;
    } else if (static_cast<unsigned char>(c) < ' ' && c != '\t') {
      return false;
    }
  }
  return true;
}

}  // namespace mailhold::gateway
