#include "formats/spf/spf_record.h"

#include <algorithm>
#include <optional>

#include "base/dns_answer.h"
#include "base/text.h"
#include "formats/spf/spf_macro.h"

namespace mailhold::spf {
namespace {

constexpr std::string_view version = "v=spf1";

Error syntax_error(const char* phrase) { return {.kind = ErrorKind::invalid_input, .detail = phrase}; }

bool is_name(std::string_view text) {  // name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )
  if (text.empty() || to_lower(text[0]) < 'a' || to_lower(text[0]) > 'z') return false;
  return std::all_of(text.begin(), text.end(), [](char letter) {
    const char lower = to_lower(letter);
    return (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '-' || lower == '_' || lower == '.';
  });
}

std::optional<Mechanism> mechanism_named(std::string_view name) {
  constexpr std::pair<std::string_view, Mechanism> names[] = {
      {"all", Mechanism::all}, {"include", Mechanism::include}, {"a", Mechanism::a},     {"mx", Mechanism::mx},
      {"ptr", Mechanism::ptr}, {"ip4", Mechanism::ip4},         {"ip6", Mechanism::ip6}, {"exists", Mechanism::exists}};
  for (const auto& [known, mechanism] : names) {
    if (equals_ignoring_case(known, name)) return mechanism;
  }
  return std::nullopt;
}

// Decimal without leading zeros, at most `most`.
std::optional<unsigned> prefix_length(std::string_view digits, unsigned most) {
  if (digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  const std::optional<std::uint64_t> number = to_number(digits);
  return number && *number <= most ? std::optional<unsigned>(static_cast<unsigned>(*number)) : std::nullopt;
}

// The digits after a final "/" or "//", taken off `text`; nothing if it does not end so. A domain-spec may hold slashes
// itself, but cannot end in a slash and digits (section 7.1: domain-end).
std::optional<std::string_view> take_prefix_digits(std::string_view& text, std::string_view slashes) {
  const std::size_t last = text.find_last_not_of("0123456789");
  if (last == std::string_view::npos || last + 1 == text.size()) return std::nullopt;
  if (!text.substr(0, last + 1).ends_with(slashes)) return std::nullopt;
  const std::string_view digits = text.substr(last + 1);
  text = text.substr(0, last + 1 - slashes.size());
  return digits;
}

// [ ":" domain-spec ] [ dual-cidr-length ]
Status read_domain_and_prefixes(std::string_view rest, Directive& directive) {
  if (const auto digits = take_prefix_digits(rest, "//")) {
    const auto length = prefix_length(*digits, 128);
    if (!length) return syntax_error("prefix length out of range");
    directive.ip6_prefix = *length;
  }
  if (const auto digits = take_prefix_digits(rest, "/")) {
    const auto length = prefix_length(*digits, 32);
    if (!length) return syntax_error("prefix length out of range");
    directive.ip4_prefix = *length;
  }
  if (rest.empty()) return done();
  if (rest[0] != ':' || !is_domain_spec(rest.substr(1))) return syntax_error("not a domain-spec");
  directive.domain_spec = rest.substr(1);
  return done();
}

Status read_network(std::string_view rest, Directive& directive) {
  const bool is_ip4 = directive.mechanism == Mechanism::ip4;
  if (!rest.starts_with(':')) return syntax_error("network missing");
  rest.remove_prefix(1);
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    const auto length = prefix_length(rest.substr(slash + 1), is_ip4 ? 32 : 128);
    if (!length) return syntax_error("prefix length out of range");
    (is_ip4 ? directive.ip4_prefix : directive.ip6_prefix) = *length;
  }
  const std::string_view address = rest.substr(0, slash);
  const std::optional<std::string> bytes = dns::parse_address(address);
  if (!bytes || (address.find(':') == std::string_view::npos) != is_ip4) return syntax_error("not an address of this family");
  directive.network = *bytes;
  if (!is_ip4 && bytes->size() == 4) {  // ::ffff:0:0/96 written as ip6 never equals a client, whose mapped address counts as IPv4
    directive.network = std::string(10, '\0') + "\xff\xff" + *bytes;
  }
  return done();
}

Status read_arguments(std::string_view rest, Directive& directive) {
  switch (directive.mechanism) {
    case Mechanism::all: return rest.empty() ? done() : Status(syntax_error("all takes no argument"));
    case Mechanism::include:
    case Mechanism::exists:
      if (!rest.starts_with(':') || !is_domain_spec(rest.substr(1))) return syntax_error("not a domain-spec");
      directive.domain_spec = rest.substr(1);
      return done();
    case Mechanism::ptr:
      if (rest.empty()) return done();
      if (rest[0] != ':' || !is_domain_spec(rest.substr(1))) return syntax_error("not a domain-spec");
      directive.domain_spec = rest.substr(1);
      return done();
    case Mechanism::a:
    case Mechanism::mx: return read_domain_and_prefixes(rest, directive);
    case Mechanism::ip4:
    case Mechanism::ip6: return read_network(rest, directive);
  }
  return syntax_error("unknown mechanism");
}

Result<Directive> read_directive(std::string_view term) {
  Directive directive;
  directive.text = term;
  switch (term[0]) {
    case '-': directive.if_matched = Outcome::fail; break;
    case '~': directive.if_matched = Outcome::softfail; break;
    case '?': directive.if_matched = Outcome::neutral; break;
    default: break;
  }
  if (std::string_view("+-~?").find(term[0]) != std::string_view::npos) term.remove_prefix(1);
  const std::size_t name_end = std::min(term.find_first_of(":/"), term.size());
  const std::optional<Mechanism> mechanism = mechanism_named(term.substr(0, name_end));
  if (!mechanism) return syntax_error("unknown mechanism");
  directive.mechanism = *mechanism;
  RETURN_IF_ERROR(read_arguments(term.substr(name_end), directive));
  return directive;
}

Status read_modifier(std::string_view name, std::string_view value, SpfRecord& record) {
  const bool is_redirect = equals_ignoring_case(name, "redirect");
  if (!is_redirect && !equals_ignoring_case(name, "exp")) {
    return is_macro_string(value, MacroUse::domain) ? done() : Status(syntax_error("unknown modifier without macro-string"));
  }
  std::string& kept = is_redirect ? record.redirect : record.explanation;
  if (!kept.empty()) return syntax_error("modifier given twice");  // section 6
  if (!is_domain_spec(value)) return syntax_error("not a domain-spec");
  kept = value;
  return done();
}

}  // namespace

bool is_spf_record(std::string_view text) {
  return starts_with_ignoring_case(text, version) && (text.size() == version.size() || text[version.size()] == ' ');
}

Result<SpfRecord> parse_record(std::string_view text) {
  SpfRecord record;
  text.remove_prefix(std::min(version.size(), text.size()));
  for (std::string_view term : split(text, ' ')) {
    if (term.empty()) continue;
    const bool is_visible = std::all_of(term.begin(), term.end(), [](char letter) { return letter > 0x20 && letter < 0x7f; });
    if (!is_visible) return syntax_error("byte that is not visible ASCII");
    const std::size_t equals = term.find('=');
    if (equals != std::string_view::npos && is_name(term.substr(0, equals))) {
      RETURN_IF_ERROR(read_modifier(term.substr(0, equals), term.substr(equals + 1), record));
      continue;
    }
    ASSIGN_OR_RETURN(Directive directive, read_directive(term));
    record.directives.push_back(std::move(directive));
  }
  return record;
}

}  // namespace mailhold::spf
