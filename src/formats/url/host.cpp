#include "formats/url/host.h"

#include <unicode/uidna.h>

#include <array>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/url/ip_address.h"
#include "formats/url/percent.h"

namespace mailhold::url {
namespace {

constexpr std::size_t host_bytes_max = 2048;  // far above DNS's 253: browsers parse longer ones, nobody resolves them

Error refused() { return {ErrorKind::invalid_input, "no browser takes this host"}; }

// UTS 46 as browsers use it: no transitional mapping, no rules about hyphens and length.
const UIDNA* idna() {
  static const UIDNA* const instance = [] {
    UErrorCode status = U_ZERO_ERROR;
    return uidna_openUTS46(
        UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE, &status);
  }();
  return instance;
}

constexpr std::uint32_t tolerated_errors = UIDNA_ERROR_EMPTY_LABEL | UIDNA_ERROR_LABEL_TOO_LONG |
                                           UIDNA_ERROR_DOMAIN_NAME_TOO_LONG | UIDNA_ERROR_LEADING_HYPHEN |
                                           UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4;

using Conversion = decltype(&uidna_nameToASCII_UTF8);

// Nothing when the conversion fails.
std::string converted(Conversion convert, std::string_view text) {
  if (idna() == nullptr) return {};
  std::array<char, 8 * host_bytes_max> buffer;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  UErrorCode status = U_ZERO_ERROR;
  const std::int32_t length = convert(idna(), text.data(), static_cast<std::int32_t>(text.size()), buffer.data(),
                                      static_cast<std::int32_t>(buffer.size()), &info, &status);
  if (U_FAILURE(status) || (info.errors & ~tolerated_errors) != 0) return {};
  if (length <= 0 || static_cast<std::size_t>(length) > buffer.size()) return {};
  return {buffer.data(), static_cast<std::size_t>(length)};
}

bool has_punycode(std::string_view host) {
  for (std::string_view label : split(host, '.')) {
    if (starts_with_ignoring_case(label, "xn--")) return true;
  }
  return false;
}

bool is_ascii(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

// Capital sharp s means the small one since Unicode 15.1; the older tables that we may be linked to make "ss" of it.
std::string with_new_sharp_s(std::string host) {
  for (std::size_t at = host.find("\xe1\xba\x9e"); at != std::string::npos; at = host.find("\xe1\xba\x9e", at))
    host.replace(at, 3, "\xc3\x9f");
  return host;
}

// "Forbidden domain code point", URL Standard section 3.1.
bool has_forbidden(std::string_view host) {
  constexpr std::string_view forbidden = " #/:<>?@[\\]^|%";
  for (char c : host) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || forbidden.find(c) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

void load_unicode_tables() {
  const Result<Host> host = parse_host("\xd0\xb0\xc3\xa4.example");
  if (host) static_cast<void>(to_unicode(host->ascii));
}

Result<Host> parse_host(std::string_view text) {
  if (text.size() > host_bytes_max) return refused();
  if (text.starts_with("[")) {
    if (!text.ends_with("]") || text.size() < 2) return refused();
    ASSIGN_OR_RETURN(std::string address, parse_ipv6(text.substr(1, text.size() - 2)));
    return Host{std::move(address), HostKind::ipv6};
  }
  std::string host = percent_decoded(text);
  if (!is_utf8(host)) return refused();
  // An ASCII name is taken as it is, even with punycode that does not decode (URL Standard, "domain to ASCII").
  host = is_ascii(host) ? to_lower(host) : converted(uidna_nameToASCII_UTF8, with_new_sharp_s(std::move(host)));
  if (host.empty() || has_forbidden(host)) return refused();
  if (!ends_in_number(host)) return Host{std::move(host), HostKind::domain};
  ASSIGN_OR_RETURN(std::string address, parse_ipv4(host));
  return Host{std::move(address), HostKind::ipv4};
}

std::string to_unicode(std::string_view ascii_host) {
  if (ascii_host.size() > host_bytes_max || !has_punycode(ascii_host)) return std::string(ascii_host);
  std::string out;
  for (std::string_view label : split(ascii_host, '.')) {
    if (!out.empty()) out.push_back('.');
    const std::string readable =
        starts_with_ignoring_case(label, "xn--") ? converted(uidna_nameToUnicodeUTF8, label) : std::string();
    out += readable.empty() ? std::string(label) : readable;
  }
  return out;
}

bool is_within(std::string_view host, std::string_view domain) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (domain.empty() || host.size() < domain.size()) return false;
  const std::size_t before = host.size() - domain.size();
  if (!equals_ignoring_case(host.substr(before), domain)) return false;
  return before == 0 || host[before - 1] == '.';
}

}  // namespace mailhold::url
