#include "features/scanning/checks/authentication.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "formats/authres/authres.h"

namespace mailhold::authentication {
namespace {

std::string_view raw_name(const dkim::HeaderField& field) {
  return field.whole.substr(0, std::min(field.whole.find(':'), field.whole.size()));
}

std::string without_odd_bytes(std::string_view name) {
  std::string kept;
  for (char letter : name) {
    if (letter > 0x20 && letter < 0x7f) kept += to_lower(letter);
  }
  return kept;
}

// The one domain of From. A name like " From", "From\r\n " or "From\0" is taken for From by some readers and not by others.
Result<std::string> from_domain_of(const dkim::MessageView& message) {
  std::vector<std::string_view> values;
  for (const dkim::HeaderField& field : message.fields) {
    if (field.whole.find(':') == std::string_view::npos) continue;
    std::string_view name = raw_name(field);
    if (without_odd_bytes(name) != "from") continue;
    while (name.ends_with(' ') || name.ends_with('\t'))
      name.remove_suffix(1);  // obsolete, but all agree on it (RFC 5322 section 4.5)
    if (name.size() != 4) return Error{.kind = ErrorKind::invalid_input, .detail = "the name of a From field is malformed"};
    values.push_back(field.value);
  }
  return dmarc::from_domain(values);
}

spf::Sender sender_of(const AuthenticationInput& input) {
  return {.client_ip = input.client_ip,
          .helo = input.helo,
          .mail_from = input.mail_from,
          .receiver = input.authserv_id,
          .now_seconds = input.now.time_since_epoch().count()};
}

dmarc::Input dmarc_input(const AuthenticationInput& input, const AuthenticationResult& result,
                         const dmarc::PublicSuffixes& suffixes) {
  dmarc::Input dmarc;
  dmarc.from = from_domain_of(input.message);
  dmarc.sample = input.sample;
  // Only a failure of names that could have been aligned counts: else a sender could avoid rejection by a broken DNS of its own.
  const auto could_align = [&](const std::string& domain) {
    return dmarc.from && suffixes.organizational_domain(domain) == suffixes.organizational_domain(*dmarc.from);
  };
  if (result.spf.outcome == spf::Outcome::pass) dmarc.spf_domain = result.spf.domain;
  dmarc.authentication_was_temporary = result.spf.outcome == spf::Outcome::temperror && could_align(result.spf.domain);
  for (const dkim::SignatureResult& signature : result.dkim) {
    if (signature.outcome == dkim::Outcome::pass) dmarc.dkim_domains.push_back(signature.domain);
    if (signature.outcome == dkim::Outcome::temperror && could_align(signature.domain)) dmarc.authentication_was_temporary = true;
  }
  return dmarc;
}

authres::MethodResult spf_entry(const AuthenticationInput& input, const spf::Verdict& verdict) {
  authres::MethodResult entry{"spf", std::string(spf::name_of(verdict.outcome)), verdict.problem, {}};
  if (verdict.checked_helo)
    entry.properties.push_back({"smtp", "helo", input.helo});
  else
    entry.properties.push_back({"smtp", "mailfrom", input.mail_from});
  return entry;
}

authres::MethodResult dkim_entry(const dkim::SignatureResult& signature) {
  authres::MethodResult entry{"dkim", std::string(dkim::name_of(signature.outcome)), signature.problem, {}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) entry.properties.push_back({"header", name, value});
  };
  add("d", signature.domain);
  add("s", signature.selector);
  add("a", signature.algorithm);
  add("b", signature.signature_start);
  return entry;
}

authres::MethodResult dmarc_entry(const dmarc::Evaluation& evaluation) {
  authres::MethodResult entry{"dmarc", std::string(dmarc::name_of(evaluation.outcome)), evaluation.problem, {}};
  if (!evaluation.from_domain.empty()) entry.properties.push_back({"header", "from", evaluation.from_domain});
  if (!evaluation.record_domain.empty())
    entry.properties.push_back({"policy", "dmarc", std::string(dmarc::name_of(evaluation.published))});
  return entry;
}

authres::Header results_header(const AuthenticationInput& input, const AuthenticationResult& result) {
  authres::Header header{input.authserv_id, {spf_entry(input, result.spf)}};
  for (const dkim::SignatureResult& signature : result.dkim) header.results.push_back(dkim_entry(signature));
  if (result.dkim.empty()) header.results.push_back({"dkim", "none", {}, {}});
  header.results.push_back(dmarc_entry(result.dmarc));
  return header;
}

std::vector<std::size_t> forged_results_in(const AuthenticationInput& input) {
  std::vector<std::size_t> forged;
  for (std::size_t index = 0; index < input.message.fields.size(); ++index) {
    const dkim::HeaderField& field = input.message.fields[index];
    if (without_odd_bytes(raw_name(field)) != "authentication-results") continue;
    if (authres::claims(field.value, input.authserv_id)) forged.push_back(index);
  }
  return forged;
}

}  // namespace

AuthenticationResult evaluate(const AuthenticationInput& input, const dmarc::PublicSuffixes& suffixes,
                              const dns::Lookup& lookup) {
  AuthenticationResult result;
  result.spf = spf::check(sender_of(input), lookup);
  result.dkim = dkim::verify(input.message, lookup, {.now = input.now});
  result.dmarc = dmarc::evaluate(dmarc_input(input, result, suffixes), suffixes, lookup);
  if (result.dmarc.spf_aligned || result.dmarc.dkim_aligned) result.authenticated_domain = result.dmarc.from_domain;
  result.forged_results = forged_results_in(input);
  result.header_value = authres::write_value(results_header(input, result));
  result.header_field = "Authentication-Results: " + result.header_value + "\r\n";
  return result;
}

std::vector<dns::Question> first_questions(const AuthenticationInput& input, const dmarc::PublicSuffixes& suffixes) {
  std::vector<dns::Question> questions;
  const auto add = [&](dns::Question question) {
    if (std::find(questions.begin(), questions.end(), question) == questions.end()) questions.push_back(std::move(question));
  };
  if (std::string domain = spf::domain_to_check(sender_of(input)); !domain.empty()) {
    if (const auto name = dns::normal_name(domain)) add({*name, dns::RecordType::txt});
  }
  for (dns::Question& question : dkim::key_questions(input.message)) add(std::move(question));
  if (const Result<std::string> from = from_domain_of(input.message)) {
    for (dns::Question& question : dmarc::policy_questions(*from, suffixes)) add(std::move(question));
  }
  return questions;
}

}  // namespace mailhold::authentication
