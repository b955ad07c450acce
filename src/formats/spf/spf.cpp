#include "formats/spf/spf.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "formats/spf/spf_macro.h"
#include "formats/spf/spf_record.h"

namespace mailhold::spf {
namespace {

// RFC 7208 section 4.6.4.
constexpr unsigned asking_terms_max = 10;
constexpr unsigned void_answers_max = 2;
constexpr std::size_t names_of_one_answer_max = 10;
constexpr std::size_t explanation_bytes_max = 400;

struct Parts {
  std::string local_part;
  std::string domain;
};

// Section 4.1 and 4.3: without a local part it is "postmaster".
Parts parts_of(const Sender& sender) {
  const std::string_view address = sender.mail_from.empty() ? std::string_view(sender.helo) : std::string_view(sender.mail_from);
  const std::size_t at = sender.mail_from.empty() ? std::string_view::npos : address.rfind('@');
  Parts parts;
  parts.domain = to_lower(at == std::string_view::npos ? address : address.substr(at + 1));
  parts.local_part = at == std::string_view::npos || at == 0 ? "postmaster" : address.substr(0, at);
  if (parts.domain.ends_with('.')) parts.domain.pop_back();
  return parts;
}

bool is_checkable(std::string_view domain) {  // section 4.3: well formed and of several labels
  return domain.find('.') != std::string_view::npos && dns::normal_name(domain).has_value();
}

bool has_same_prefix(std::string_view a, std::string_view b, unsigned bits) {
  if (a.size() != b.size() || bits > a.size() * 8) return false;
  const std::size_t whole = bits / 8;
  if (a.substr(0, whole) != b.substr(0, whole)) return false;
  if (bits % 8 == 0) return true;
  const unsigned mask = 0xffU << (8 - bits % 8);
  return ((static_cast<unsigned char>(a[whole]) ^ static_cast<unsigned char>(b[whole])) & mask & 0xffU) == 0;
}

enum class Match { no, yes, temperror, permerror };

class Evaluation {
 public:
  Evaluation(const Sender& sender, const dns::Lookup& lookup) : lookup_(lookup) {
    Parts parts = parts_of(sender);
    values_.local_part = std::move(parts.local_part);
    values_.sender_domain = std::move(parts.domain);
    values_.client_ip = sender.client_ip;
    values_.helo = sender.helo;
    values_.receiver = sender.receiver;
    values_.now_seconds = std::to_string(sender.now_seconds);
    values_.validated_name = [this] { return validated_name(); };
  }

  Verdict run() {
    Verdict verdict;
    verdict.outcome = check_host(values_.sender_domain, verdict);
    verdict.problem = problem_;
    verdict.terms_asked = terms_asked_;
    return verdict;
  }

 private:
  // One level of section 4: `verdict` gets the term and explanation of this level.
  Outcome check_host(const std::string& domain, Verdict& verdict) {
    if (!is_checkable(domain)) return Outcome::none;
    std::optional<std::string> text;
    if (const Outcome found = find_record(domain, text); found != Outcome::pass) return found;
    Result<SpfRecord> record = parse_record(*text);
    if (!record) return failed(Outcome::permerror, record.error().detail);
    for (const Directive& directive : record->directives) {
      values_.domain = domain;  // an include before this one changed it
      switch (match(directive, domain)) {
        case Match::no: continue;
        case Match::temperror: return failed(Outcome::temperror, "DNS did not answer");
        case Match::permerror: return failed(Outcome::permerror, "term could not be evaluated");
        case Match::yes: break;
      }
      verdict.term = directive.text;
      values_.domain = domain;
      if (directive.if_matched == Outcome::fail) verdict.explanation = explanation(record->explanation);
      return directive.if_matched;
    }
    if (record->redirect.empty()) return Outcome::neutral;  // section 4.7
    return follow(record->redirect, domain, verdict);
  }

  // Section 4.4 and 4.5; pass: `text` is the one record.
  Outcome find_record(const std::string& domain, std::optional<std::string>& text) {
    dns::Answer answer = ask(domain, dns::RecordType::txt);
    if (answer.is_temporary_failure()) return failed(Outcome::temperror, "DNS did not answer");
    for (dns::Record& record : answer.records) {
      if (!is_spf_record(record.value)) continue;
      if (text) return failed(Outcome::permerror, "several SPF records");
      text = std::move(record.value);
    }
    return text ? Outcome::pass : Outcome::none;
  }

  Outcome follow(const std::string& domain_spec, const std::string& domain, Verdict& verdict) {  // section 6.1
    values_.domain = domain;
    if (!count_term()) return Outcome::permerror;
    const Outcome outcome = check_host(to_lower(expand_domain(domain_spec, values_)), verdict);
    return outcome == Outcome::none ? failed(Outcome::permerror, "redirect to a domain without record") : outcome;
  }

  Match match(const Directive& directive, const std::string& domain) {
    switch (directive.mechanism) {
      case Mechanism::all: return Match::yes;
      case Mechanism::ip4: return of(has_same_prefix(values_.client_ip, directive.network, directive.ip4_prefix));
      case Mechanism::ip6: return of(has_same_prefix(values_.client_ip, directive.network, directive.ip6_prefix));
      default: break;
    }
    if (!count_term()) return Match::permerror;
    const std::string target = directive.domain_spec.empty() ? domain : to_lower(expand_domain(directive.domain_spec, values_));
    switch (directive.mechanism) {
      case Mechanism::include: return match_include(target);
      case Mechanism::a: return match_address(target, directive);
      case Mechanism::mx: return match_mx(target, directive);
      case Mechanism::ptr: return match_ptr(target);
      case Mechanism::exists: return match_exists(target);
      default: return Match::permerror;
    }
  }

  Match match_include(const std::string& target) {  // section 5.2
    Verdict inner;
    switch (check_host(target, inner)) {
      case Outcome::pass: return Match::yes;
      case Outcome::fail:
      case Outcome::softfail:
      case Outcome::neutral: return Match::no;
      case Outcome::temperror: return Match::temperror;
      case Outcome::permerror: return Match::permerror;
      case Outcome::none: break;
    }
    failed(Outcome::permerror, "include of a domain without record");
    return Match::permerror;
  }

  Match match_address(const std::string& name, const Directive& directive) {  // section 5.3
    const dns::Answer answer = ask_counting_void(name, address_type());
    if (void_answers_ > void_answers_max) return Match::permerror;
    if (answer.is_temporary_failure()) return Match::temperror;
    const unsigned bits = values_.client_ip.size() == 4 ? directive.ip4_prefix : directive.ip6_prefix;
    for (const dns::Record& record : answer.records) {
      if (has_same_prefix(values_.client_ip, record.value, bits)) return Match::yes;
    }
    return Match::no;
  }

  Match match_mx(const std::string& name, const Directive& directive) {  // section 5.4
    const dns::Answer answer = ask_counting_void(name, dns::RecordType::mx);
    if (void_answers_ > void_answers_max) return Match::permerror;
    if (answer.is_temporary_failure()) return Match::temperror;
    if (answer.records.size() > names_of_one_answer_max) {
      failed(Outcome::permerror, "more than 10 MX records");
      return Match::permerror;
    }
    for (const dns::Record& record : answer.records) {
      if (const Match outcome = match_address(record.value, directive); outcome != Match::no) return outcome;
    }
    return Match::no;
  }

  Match match_exists(const std::string& name) {  // section 5.7: an A record, whatever the client's family
    const dns::Answer answer = ask_counting_void(name, dns::RecordType::a);
    if (void_answers_ > void_answers_max) return Match::permerror;
    if (answer.is_temporary_failure()) return Match::temperror;
    return of(!answer.records.empty());
  }

  Match match_ptr(const std::string& target) {  // section 5.5: DNS errors mean no match
    for (const std::string& name : validated_names()) {
      if (name == target || name.ends_with("." + target)) return Match::yes;
    }
    return void_answers_ > void_answers_max ? Match::permerror : Match::no;
  }

  // Names of the client's PTR records that point back to it; at most ten are looked at, and only once: a record may hold any
  // number of %{p}.
  const std::vector<std::string>& validated_names() {
    if (!validated_names_) validated_names_ = find_validated_names();
    return *validated_names_;
  }

  std::vector<std::string> find_validated_names() {
    const dns::Answer answer = ask_counting_void(dns::reverse_name(values_.client_ip), dns::RecordType::ptr);
    std::vector<std::string> names;
    for (std::size_t index = 0; index < std::min(answer.records.size(), names_of_one_answer_max); ++index) {
      const std::string name = to_lower(answer.records[index].value);
      const dns::Answer addresses = ask(name, address_type());
      const bool points_back = std::any_of(addresses.records.begin(), addresses.records.end(),
                                           [&](const dns::Record& record) { return record.value == values_.client_ip; });
      if (points_back) names.push_back(name);
    }
    return names;
  }

  std::string validated_name() {  // %{p}, section 7.3
    const std::vector<std::string>& names = validated_names();
    for (const std::string& name : names) {
      if (name == values_.domain) return name;
    }
    for (const std::string& name : names) {
      if (name.ends_with("." + values_.domain)) return name;
    }
    return names.empty() ? "unknown" : names.front();
  }

  // Section 6.2: whatever goes wrong, there just is no explanation.
  std::string explanation(const std::string& domain_spec) {
    if (domain_spec.empty()) return {};
    const dns::Answer answer = ask(to_lower(expand_domain(domain_spec, values_)), dns::RecordType::txt);
    if (answer.records.size() != 1 || !is_macro_string(answer.records[0].value, MacroUse::explanation)) return {};
    std::string text = expand(answer.records[0].value, values_);
    if (text.size() > explanation_bytes_max) text.resize(explanation_bytes_max);
    const bool is_printable = std::all_of(text.begin(), text.end(), [](char letter) { return letter >= 0x20 && letter < 0x7f; });
    return is_printable ? text : std::string();
  }

  bool count_term() {
    if (++terms_asked_ <= asking_terms_max) return true;
    failed(Outcome::permerror, "more than 10 terms that ask DNS");
    return false;
  }

  dns::Answer ask_counting_void(const std::string& name, dns::RecordType type) {
    dns::Answer answer = ask(name, type);
    if (answer.records.empty() && !answer.is_temporary_failure() && ++void_answers_ > void_answers_max) {
      failed(Outcome::permerror, "more than 2 void lookups");
    }
    return answer;
  }

  // A name that came out malformed cannot exist (section 4.8).
  dns::Answer ask(const std::string& name, dns::RecordType type) {
    std::optional<std::string> normal = dns::normal_name(name);
    if (!normal) return {.status = dns::AnswerStatus::nxdomain};
    return lookup_({std::move(*normal), type});
  }

  Outcome failed(Outcome outcome, const std::string& problem) {
    if (problem_.empty()) problem_ = problem;  // the first cause, not the includes above it
    return outcome;
  }

  dns::RecordType address_type() const { return values_.client_ip.size() == 4 ? dns::RecordType::a : dns::RecordType::aaaa; }
  static Match of(bool matched) { return matched ? Match::yes : Match::no; }

  const dns::Lookup& lookup_;
  MacroValues values_;
  std::optional<std::vector<std::string>> validated_names_;
  std::string problem_;
  unsigned terms_asked_ = 0;
  unsigned void_answers_ = 0;
};

}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::none: return "none";
    case Outcome::neutral: return "neutral";
    case Outcome::pass: return "pass";
    case Outcome::fail: return "fail";
    case Outcome::softfail: return "softfail";
    case Outcome::temperror: return "temperror";
    case Outcome::permerror: return "permerror";
  }
  return "none";
}

std::string domain_to_check(const Sender& sender) {
  std::string domain = parts_of(sender).domain;
  return is_checkable(domain) ? domain : std::string();
}

Verdict check(const Sender& sender, const dns::Lookup& lookup) {
  Verdict verdict;
  if (sender.client_ip.size() == 4 || sender.client_ip.size() == 16) {
    Sender normal = sender;
    if (const std::string text = dns::address_text(sender.client_ip); !text.empty()) normal.client_ip = *dns::parse_address(text);
    verdict = Evaluation(normal, lookup).run();
  }
  if (verdict.outcome != Outcome::permerror && verdict.outcome != Outcome::temperror) verdict.problem.clear();
  verdict.domain = parts_of(sender).domain;
  verdict.checked_helo = sender.mail_from.empty();
  return verdict;
}

}  // namespace mailhold::spf
