// The grammar here is narrower than RFC 5322: what remains is read the same way by every reader of mail. Refused are
// lists, groups, routes, domain literals, comments inside the address, and specials outside quotes. One leniency: names like
// "Example, Inc." or "[Bugs] Ann" without quotes, as long as nothing in them could be taken for an address.
#include <idn2.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "formats/dmarc/dmarc.h"

namespace mailhold::dmarc {
namespace {

Error refused(const char* phrase) { return {.kind = ErrorKind::invalid_input, .detail = phrase}; }

bool is_blank(char letter) { return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n'; }
bool is_high(char letter) { return static_cast<unsigned char>(letter) >= 0x80; }

bool is_atom_text(char letter) {  // atext of RFC 5322 section 3.2.3, with RFC 6532
  const char lower = to_lower(letter);
  if ((lower >= 'a' && lower <= 'z') || (letter >= '0' && letter <= '9') || is_high(letter)) return true;
  return letter != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(letter) != std::string_view::npos;
}

// No control bytes but tab, and line ends only where the field is folded.
bool is_clean(std::string_view value) {
  for (std::size_t at = 0; at < value.size(); ++at) {
    const auto byte = static_cast<unsigned char>(value[at]);
    if (byte == '\r' && !(at + 1 < value.size() && value[at + 1] == '\n')) return false;
    const bool goes_on = at + 1 < value.size() && (value[at + 1] == ' ' || value[at + 1] == '\t');
    if (byte == '\n' && !goes_on && at + 1 < value.size()) return false;
    if ((byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n') || byte == 0x7f) return false;
  }
  return true;
}

class FromReader {
 public:
  explicit FromReader(std::string_view text) : rest_(text) {}

  // [phrase] "<" addr-spec ">" or addr-spec, comments only around them.
  Result<std::string> domain() {
    std::string_view before;
    bool has_at_sign = false;
    bool has_special = false;
    RETURN_IF_ERROR(read_words(before, has_at_sign, has_special));
    if (has_special && (has_at_sign || before.find("=?") != std::string_view::npos))
      return refused("From holds more than one address");
    if (rest_.empty()) return has_at_sign ? domain_of(before) : Result<std::string>(refused("From holds no address"));
    ASSIGN_OR_RETURN(const std::string_view address, read_angle_address());
    ASSIGN_OR_RETURN(std::string domain, domain_of(address));
    if (!has_at_sign) return domain;
    // "ann@example.com <ann@example.com>" without quotes is common and harmless; with two domains it is a trick.
    const Result<std::string> shown = domain_of(before);
    if (!shown || *shown != domain) return refused("From shows an address of another domain as name");
    return domain;
  }

 private:
  // Atoms, dots, quoted strings and comments up to "<" or the end. `words`: all of it without outer blanks and comments.
  Status read_words(std::string_view& words, bool& has_at_sign, bool& has_special) {
    const char* start = nullptr;
    const char* end = nullptr;
    while (!rest_.empty() && rest_[0] != '<') {
      const char letter = rest_[0];
      if (is_blank(letter)) {
        rest_.remove_prefix(1);
        continue;
      }
      if (letter == '(') {
        RETURN_IF_ERROR(skip_comment());
        continue;
      }
      if (start == nullptr) start = rest_.data();
      if (letter == '"') {
        RETURN_IF_ERROR(skip_quoted());
      } else if (letter == '\\' || letter == '>' || letter == ')') {
        return refused("From is malformed");
      } else {
        has_at_sign = has_at_sign || letter == '@';
        has_special = has_special || !(is_atom_text(letter) || letter == '.' || letter == '@');  // , : ; [ ]
        rest_.remove_prefix(1);
      }
      end = rest_.data();
    }
    if (start != nullptr) words = {start, static_cast<std::size_t>(end - start)};
    return done();
  }

  Result<std::string_view> read_angle_address() {
    rest_.remove_prefix(1);
    const char* start = rest_.data();
    while (!rest_.empty() && rest_[0] != '>') {
      if (rest_[0] == '"')
        RETURN_IF_ERROR(skip_quoted());
      else
        rest_.remove_prefix(1);
    }
    if (rest_.empty()) return refused("From is malformed");
    const std::string_view address(start, static_cast<std::size_t>(rest_.data() - start));
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      if (rest_[0] == '(')
        RETURN_IF_ERROR(skip_comment());
      else if (is_blank(rest_[0]))
        rest_.remove_prefix(1);
      else
        return refused(rest_[0] == ',' || rest_[0] == '<' ? "From holds more than one address" : "From is malformed");
    }
    return address;
  }

  Status skip_quoted() { return skip_to_close('"', '"'); }
  Status skip_comment() { return skip_to_close('(', ')'); }

  Status skip_to_close(char open, char close) {
    std::size_t depth = 1;
    rest_.remove_prefix(1);
    while (!rest_.empty() && depth > 0) {
      const char letter = rest_[0];
      rest_.remove_prefix(letter == '\\' ? std::min<std::size_t>(2, rest_.size()) : 1);
      if (letter == close)
        --depth;
      else if (letter == open)
        ++depth;
    }
    return depth == 0 ? done() : Status(refused("From is malformed"));
  }

  // addr-spec without comments and inner blanks.
  static Result<std::string> domain_of(std::string_view address) {
    address = trim(address);
    const std::size_t at = address.rfind('@');
    if (at == std::string_view::npos || at == 0) return refused("From holds no address");
    if (!is_local_part(address.substr(0, at))) return refused("From address is malformed");
    return ascii_domain(address.substr(at + 1));
  }

  static bool is_local_part(std::string_view part) {
    if (part.starts_with('"')) {
      if (part.size() < 3 || !part.ends_with('"')) return false;
      // Quotes and backslashes inside a quoted local part are read differently by different readers.
      return part.substr(1, part.size() - 2).find_first_of("\"\\") == std::string_view::npos;
    }
    return std::all_of(part.begin(), part.end(), [](char letter) { return is_atom_text(letter) || letter == '.'; });
  }

  static Result<std::string> ascii_domain(std::string_view domain) {
    if (domain.size() > dns::name_bytes_max * 2) return refused("From domain is malformed");
    std::string text(domain);
    if (std::any_of(text.begin(), text.end(), is_high)) {
      char* ascii = nullptr;
      if (idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(text.c_str()), reinterpret_cast<std::uint8_t**>(&ascii),
                         IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK) {
        return refused("From domain is malformed");
      }
      text = ascii;
      idn2_free(ascii);
    }
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char letter) {
      const char lower = to_lower(letter);
      return (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '-' || lower == '_' || lower == '.';
    });
    const std::optional<std::string> name = is_plain ? dns::normal_name(text) : std::nullopt;
    if (!name) return refused("From domain is malformed");
    return *name;
  }

  std::string_view rest_;
};

}  // namespace

Result<std::string> from_domain(const std::vector<std::string_view>& from_field_values) {
  if (from_field_values.empty()) return refused("no From field");
  if (from_field_values.size() > 1) return refused("more than one From field");
  const std::string_view value = from_field_values[0];
  if (!is_clean(value)) return refused("From holds control bytes");
  return FromReader(value).domain();
}

}  // namespace mailhold::dmarc
