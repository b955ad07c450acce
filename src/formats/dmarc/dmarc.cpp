#include "formats/dmarc/dmarc.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace mailhold::dmarc {
namespace {

dns::Question policy_question(const std::string& domain) { return {"_dmarc." + domain, dns::RecordType::txt}; }

struct Discovery {
  std::optional<Record> record;
  std::string domain;
  bool failed = false;  // DNS did not answer
};

// Records that are not DMARC1 do not count; several that are mean none (RFC 7489 section 6.6.3).
Discovery record_at(const std::string& domain, const dns::Lookup& lookup) {
  const dns::Question question = policy_question(domain);
  if (dns::normal_name(question.name) != question.name) return {};
  const dns::Answer answer = lookup(question);
  if (answer.is_temporary_failure()) return {.record = {}, .domain = domain, .failed = true};
  std::vector<std::string_view> found;
  for (const dns::Record& record : answer.records) {
    if (starts_with_ignoring_case(record.value, "v") && to_lower(record.value.substr(0, 64)).find("dmarc1") != std::string::npos)
      found.push_back(record.value);
  }
  if (found.size() != 1) return {};
  Result<Record> record = parse_record(found[0]);
  if (!record) return {};
  return {.record = std::move(*record), .domain = domain};
}

Discovery discover(const std::string& from_domain, const PublicSuffixes& suffixes, const dns::Lookup& lookup) {
  Discovery found = record_at(from_domain, lookup);
  if (found.record || found.failed) return found;
  const std::string organization = suffixes.organizational_domain(from_domain);
  return organization == from_domain ? found : record_at(organization, lookup);
}

bool are_aligned(const std::string& authenticated, const std::string& from, Alignment alignment, const PublicSuffixes& suffixes) {
  if (authenticated.empty()) return false;
  if (authenticated == from) return true;
  return alignment == Alignment::relaxed && suffixes.organizational_domain(authenticated) == suffixes.organizational_domain(from);
}

Policy weaker(Policy policy) { return policy == Policy::reject ? Policy::quarantine : Policy::none; }

}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::none: return "none";
    case Outcome::pass: return "pass";
    case Outcome::fail: return "fail";
    case Outcome::temperror: return "temperror";
    case Outcome::permerror: return "permerror";
  }
  return "none";
}

std::vector<dns::Question> policy_questions(std::string_view from_domain, const PublicSuffixes& suffixes) {
  const std::string domain(from_domain);
  const std::string organization = suffixes.organizational_domain(domain);
  std::vector<dns::Question> questions;
  for (const std::string& name : {domain, organization}) {
    dns::Question question = policy_question(name);
    if (dns::normal_name(question.name) != question.name) continue;
    if (std::find(questions.begin(), questions.end(), question) == questions.end()) questions.push_back(std::move(question));
  }
  return questions;
}

Evaluation evaluate(const Input& input, const PublicSuffixes& suffixes, const dns::Lookup& lookup) {
  Evaluation evaluation;
  if (!input.from) {
    evaluation.outcome = Outcome::permerror;
    evaluation.problem = input.from.error().detail;
    return evaluation;
  }
  const std::string& from = evaluation.from_domain = *input.from;
  const Discovery found = discover(from, suffixes, lookup);
  evaluation.record_domain = found.record ? found.domain : std::string();
  const Record record = found.record.value_or(Record());
  evaluation.spf_aligned = are_aligned(input.spf_domain, from, record.spf, suffixes);
  evaluation.dkim_aligned = std::any_of(input.dkim_domains.begin(), input.dkim_domains.end(), [&](const std::string& domain) {
    return are_aligned(domain, from, record.dkim, suffixes);
  });
  if (found.failed) {
    evaluation.outcome = Outcome::temperror;
    evaluation.problem = "DNS did not answer for the policy";
    return evaluation;
  }
  if (!found.record) return evaluation;
  evaluation.published = found.domain == from ? record.policy : record.subdomain_policy;
  if (evaluation.spf_aligned || evaluation.dkim_aligned) {
    evaluation.outcome = Outcome::pass;
    return evaluation;
  }
  if (input.authentication_was_temporary) {  // a pass may come yet (RFC 7489 section 6.6.2)
    evaluation.outcome = Outcome::temperror;
    evaluation.problem = "DNS did not answer for SPF or DKIM";
    return evaluation;
  }
  evaluation.outcome = Outcome::fail;
  evaluation.problem = "neither SPF nor DKIM passed for the domain of From";
  evaluation.disposition = input.sample < record.percent ? evaluation.published : weaker(evaluation.published);  // section 6.6.4
  return evaluation;
}

}  // namespace mailhold::dmarc
