#include "formats/smtp/smtp_address.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::smtp {
namespace {

constexpr std::size_t mailbox_bytes_max = 254;  // RFC 5321 section 4.5.3.1.3: a path has 256 with its brackets
constexpr std::size_t domain_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;

Error malformed(const char* what) { return {ErrorKind::invalid_input, what}; }

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// RFC 5321 section 4.1.2 atext.
bool is_atext(char c) {
  return is_alnum(c) || (c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos);
}

bool is_dot_string(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' ? text[i - 1] == '.' : !is_atext(text[i])) return false;
  }
  return true;
}

// Reads a Quoted-string at the start of the text and gives its content.
Result<std::string> take_quoted(std::string_view& text) {
  std::string local;
  for (std::size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      if (local.empty()) return malformed("empty quoted local part");
      return local;
    }
    if (c == '\\' && ++i < text.size()) c = text[i];
    if (c < ' ' || c > '~') return malformed("byte outside ASCII in a quoted local part");
    local += c;
  }
  return malformed("quoted local part without end");
}

Result<std::string> take_local(std::string_view& text) {
  if (!text.empty() && text.front() == '"') return take_quoted(text);
  std::size_t end = 0;
  while (end < text.size() && (is_atext(text[end]) || text[end] == '.')) ++end;
  const std::string_view local = text.substr(0, end);
  if (!is_dot_string(local)) return malformed("malformed local part");
  text.remove_prefix(end);
  return std::string(local);
}

Result<std::string> take_domain(std::string_view& text) {
  std::size_t end = 0;
  if (!text.empty() && text.front() == '[') {
    end = text.find(']');
    if (end == std::string_view::npos) return malformed("address literal without end");
    ++end;
    if (!is_address_literal(text.substr(0, end))) return malformed("malformed address literal");
  } else {
    while (end < text.size() && (is_alnum(text[end]) || text[end] == '-' || text[end] == '.' || text[end] == '_')) ++end;
    if (!is_domain(text.substr(0, end))) return malformed("malformed domain");
  }
  std::string domain = to_lower(text.substr(0, end));
  text.remove_prefix(end);
  return domain;
}

Result<Address> take_mailbox(std::string_view& text) {
  const std::size_t before = text.size();
  Address address;
  ASSIGN_OR_RETURN(address.local, take_local(text));
  if (text.empty() || text.front() != '@') return malformed("no domain");
  text.remove_prefix(1);
  ASSIGN_OR_RETURN(address.domain, take_domain(text));
  if (before - text.size() > mailbox_bytes_max) return malformed("mailbox too long");
  return address;
}

// RFC 5321 appendix C: "@one,@two:" before the mailbox; it is to be ignored.
Status skip_source_route(std::string_view& text) {
  while (!text.empty() && text.front() == '@') {
    text.remove_prefix(1);
    RETURN_IF_ERROR([&]() -> Status {
      ASSIGN_OR_RETURN(const std::string hop, take_domain(text));
      (void)hop;
      return done();
    }());
    if (text.empty() || (text.front() != ',' && text.front() != ':')) return malformed("malformed source route");
    const bool was_last = text.front() == ':';
    text.remove_prefix(1);
    if (was_last) return done();
    if (text.empty() || text.front() != '@') return malformed("malformed source route");
  }
  return done();
}

bool is_ipv4(std::string_view text) {
  const auto parts = split(text, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const auto number = to_number(part);
           return part.size() <= 3 && number && *number <= 255;
         });
}

// Shape only: groups of up to four hex digits, at most one "::", a trailing IPv4 allowed (RFC 5321 section 4.1.3).
bool is_ipv6(std::string_view text) {
  if (text.size() < 2 || text.size() > 45) return false;
  const std::size_t gap = text.find("::");
  if (gap != std::string_view::npos && text.find("::", gap + 1) != std::string_view::npos) return false;
  const auto groups_in = [](std::string_view part, bool last) -> int {
    if (part.empty()) return 0;
    const auto pieces = split(part, ':');
    int groups = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (last && i + 1 == pieces.size() && pieces[i].find('.') != std::string_view::npos) {
        if (!is_ipv4(pieces[i])) return -1;
        groups += 2;
        continue;
      }
      const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
      if (pieces[i].empty() || pieces[i].size() > 4 || !std::all_of(pieces[i].begin(), pieces[i].end(), is_hex)) return -1;
      ++groups;
    }
    return groups;
  };
  if (gap == std::string_view::npos) return groups_in(text, true) == 8;
  const int before = groups_in(text.substr(0, gap), false);
  const int after = groups_in(text.substr(gap + 2), true);
  return before >= 0 && after >= 0 && before + after <= 7;
}

}  // namespace

bool is_address_literal(std::string_view text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  if (starts_with_ignoring_case(text, "IPv6:")) return is_ipv6(text.substr(5));
  return is_ipv4(text);
}

bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > domain_bytes_max) return false;
  for (const std::string_view label : split(text, '.')) {
    if (label.empty() || label.size() > label_bytes_max || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; })) return false;
  }
  return true;
}

std::string Address::text() const {
  if (is_null()) return {};
  if (is_dot_string(local)) return local + "@" + domain;
  std::string quoted = "\"";
  for (const char c : local) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"@" + domain;
}

std::string Address::key() const { return to_lower(text()); }

Result<Address> parse_mailbox(std::string_view text) {
  ASSIGN_OR_RETURN(Address address, take_mailbox(text));
  if (!text.empty()) return malformed("text after the mailbox");
  return address;
}

Result<Address> take_path(std::string_view& text) {
  std::string_view rest = text;
  if (rest.empty() || rest.front() != '<') return malformed("no '<'");
  rest.remove_prefix(1);
  Address address;
  if (rest.empty() || rest.front() != '>') {
    RETURN_IF_ERROR(skip_source_route(rest));
    ASSIGN_OR_RETURN(address, take_mailbox(rest));
  }
  if (rest.empty() || rest.front() != '>') return malformed("no '>'");
  rest.remove_prefix(1);
  text = rest;
  return address;
}

}  // namespace mailhold::smtp
