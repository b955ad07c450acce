#include "formats/dkim/signature.h"

#include <algorithm>

#include "base/text.h"
#include "formats/dkim/tag_list.h"

namespace mailhold::dkim {
namespace {

constexpr std::size_t field_names_max = 200;

// Letters, digits, hyphen, underscore and dots: a name that no reader of results can take for two (no quotes, no brackets).
std::optional<std::string> host_name(std::string_view text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char letter) {
    const char lower = to_lower(letter);
    return (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '-' || lower == '_' || lower == '.';
  });
  return is_plain ? dns::normal_name(text) : std::nullopt;
}

std::optional<Canonical> canonical_named(std::string_view name) {
  if (equals_ignoring_case(name, "simple")) return Canonical::simple;
  if (equals_ignoring_case(name, "relaxed")) return Canonical::relaxed;
  return std::nullopt;
}

// Reads one DKIM-Signature; the first thing that is wrong ends it.
class SignatureReader {
 public:
  explicit SignatureReader(const TagList& tags) : tags_(tags) {}

  Signature read() && {
    const bool is_usable = read_version() && read_names() && read_algorithm() && read_forms() && read_hashes() &&
                           read_field_names() && read_identity() && read_numbers() && read_query_methods();
    if (is_usable) signature_.outcome = Outcome::none;
    return std::move(signature_);
  }

 private:
  bool refuse(Outcome outcome, const char* problem) {
    signature_.outcome = outcome;
    signature_.problem = problem;
    return false;
  }

  bool read_version() { return tags_.value("v") == "1" || refuse(Outcome::neutral, "v= is not 1"); }

  bool read_names() {
    const auto domain = host_name(tags_.value("d").value_or(""));
    if (!domain || domain->find('.') == std::string::npos) return refuse(Outcome::neutral, "d= is not a domain");
    signature_.domain = *domain;
    const auto selector = host_name(tags_.value("s").value_or(""));
    if (!selector || !dns::normal_name(*selector + "._domainkey." + *domain)) return refuse(Outcome::neutral, "s= is not a name");
    signature_.selector = *selector;
    return true;
  }

  bool read_algorithm() {
    signature_.algorithm = to_lower(tags_.value("a").value_or(""));
    if (signature_.algorithm == "rsa-sha256" || signature_.algorithm == "ed25519-sha256") return true;
    if (signature_.algorithm == "rsa-sha1") return refuse(Outcome::permerror, "rsa-sha1 is not accepted (RFC 8301)");
    if (signature_.algorithm.size() > 32) signature_.algorithm.clear();
    return refuse(Outcome::neutral, "unknown algorithm");
  }

  bool read_forms() {
    const std::string_view forms = tags_.value("c").value_or("simple/simple");
    const std::size_t slash = forms.find('/');
    const auto header = canonical_named(forms.substr(0, slash));
    const auto body = canonical_named(slash == std::string_view::npos ? "simple" : forms.substr(slash + 1));  // section 3.5, c=
    if (!header || !body) return refuse(Outcome::neutral, "unknown canonicalization");
    signature_.header_form = *header;
    signature_.body_form = *body;
    return true;
  }

  bool read_hashes() {
    const Tag* b = tags_.find("b");
    if (b == nullptr) return refuse(Outcome::neutral, "b= is missing");
    signature_.raw_b = b->raw_value;
    const std::string text = without_white_space(b->value);
    const auto bytes = from_base64(text);
    if (!bytes || bytes->empty()) return refuse(Outcome::neutral, "b= is not base64");
    signature_.bytes = *bytes;
    signature_.signature_start = text.substr(0, 8);
    const auto hash = from_base64(without_white_space(tags_.value("bh").value_or("")));
    if (!hash || hash->size() != 32) return refuse(Outcome::neutral, "bh= is not a SHA-256 hash");
    signature_.body_hash = *hash;
    return true;
  }

  bool read_field_names() {
    const std::string list = to_lower(without_white_space(tags_.value("h").value_or("")));
    const auto names = split(list, ':');
    if (names.size() > field_names_max) return refuse(Outcome::neutral, "h= is too long");
    for (std::string_view name : names) {
      if (name.empty() || name.find(';') != std::string_view::npos) return refuse(Outcome::neutral, "h= is not a list of names");
      signature_.field_names.emplace_back(name);
    }
    const bool has_from =
        std::find(signature_.field_names.begin(), signature_.field_names.end(), "from") != signature_.field_names.end();
    return has_from || refuse(Outcome::permerror, "From is not signed");  // section 5.4
  }

  bool read_identity() {
    const std::string_view identity = tags_.value("i").value_or("");
    signature_.identity = identity.empty() ? "@" + signature_.domain : std::string(identity);
    if (signature_.identity.size() > 320) return refuse(Outcome::neutral, "i= is too long");
    const std::string domain = to_lower(std::string_view(signature_.identity).substr(signature_.identity.rfind('@') + 1));
    const bool is_below = domain == signature_.domain || domain.ends_with("." + signature_.domain);
    return (is_below && signature_.identity.find('@') != std::string::npos) ||
           refuse(Outcome::permerror, "i= is not below d=");  // section 6.1.1
  }

  bool read_number(std::string_view name, std::optional<std::uint64_t>& number) {
    const auto text = tags_.value(name);
    if (!text) return true;
    number = to_number(*text);
    return number.has_value() || refuse(Outcome::neutral, "l=, t= or x= is not a number");
  }

  bool read_numbers() {
    std::optional<std::uint64_t> signed_at;
    if (!read_number("l", signature_.body_length) || !read_number("t", signed_at) || !read_number("x", signature_.expires_at))
      return false;
    const bool is_in_order = !signed_at || !signature_.expires_at || *signature_.expires_at > *signed_at;
    return is_in_order || refuse(Outcome::neutral, "x= is before t=");
  }

  bool read_query_methods() {
    const auto methods = tags_.value("q");
    if (!methods) return true;
    const std::string list = to_lower(without_white_space(*methods));
    const auto names = split(list, ':');
    const bool has_dns =
        std::any_of(names.begin(), names.end(), [](std::string_view name) { return name == "dns/txt" || name == "dns"; });
    return has_dns || refuse(Outcome::neutral, "q= has no method that we know");
  }

  const TagList& tags_;
  Signature signature_;
};

}  // namespace

Signature parse_signature(std::string_view value) {
  const std::optional<TagList> tags = TagList::parse(value);
  if (!tags) {
    Signature signature;
    signature.outcome = Outcome::neutral;
    signature.problem = "not a list of tags";
    return signature;
  }
  return SignatureReader(*tags).read();
}

dns::Question key_question(const Signature& signature) {
  return {signature.selector + "._domainkey." + signature.domain, dns::RecordType::txt};
}

}  // namespace mailhold::dkim
