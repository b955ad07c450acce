#include <optional>

#include "base/text.h"
#include "formats/dmarc/dmarc.h"

namespace mailhold::dmarc {
namespace {

std::optional<Policy> policy_named(std::string_view name) {
  for (Policy policy : {Policy::none, Policy::quarantine, Policy::reject}) {
    if (equals_ignoring_case(name, name_of(policy))) return policy;
  }
  return std::nullopt;
}

Alignment alignment_named(std::string_view name) {
  return equals_ignoring_case(name, "s") ? Alignment::strict : Alignment::relaxed;
}

Error no_record(const char* phrase) { return {.kind = ErrorKind::invalid_input, .detail = phrase}; }

}  // namespace

std::string_view name_of(Policy policy) {
  switch (policy) {
    case Policy::none: return "none";
    case Policy::quarantine: return "quarantine";
    case Policy::reject: return "reject";
  }
  return "none";
}

Result<Record> parse_record(std::string_view text) {
  Record record;
  std::optional<Policy> policy;
  std::optional<Policy> subdomain_policy;
  bool has_bad_subdomain_policy = false;
  bool is_first = true;
  for (std::string_view piece : split(text, ';')) {
    const std::size_t equals = piece.find('=');
    const std::string_view name = trim(piece.substr(0, equals));
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : trim(piece.substr(equals + 1));
    if (is_first) {  // section 6.4: v comes first, and its value is case-sensitive
      if (!equals_ignoring_case(name, "v") || value != "DMARC1") return no_record("not a DMARC1 record");
      is_first = false;
      continue;
    }
    if (equals_ignoring_case(name, "p")) policy = policy_named(value);
    if (equals_ignoring_case(name, "sp")) {
      subdomain_policy = policy_named(value);
      has_bad_subdomain_policy = !subdomain_policy;
    }
    if (equals_ignoring_case(name, "adkim")) record.dkim = alignment_named(value);
    if (equals_ignoring_case(name, "aspf")) record.spf = alignment_named(value);
    if (equals_ignoring_case(name, "rua")) record.aggregate_reports = value;
    if (equals_ignoring_case(name, "pct")) {
      if (const auto percent = to_number(value); percent && *percent <= 100) record.percent = static_cast<unsigned>(*percent);
    }
  }
  if (!policy || has_bad_subdomain_policy) {  // section 6.6.3, step 6
    if (to_lower(record.aggregate_reports).find("mailto:") == std::string::npos) return no_record("no usable policy");
    record.policy = record.subdomain_policy = Policy::none;
    return record;
  }
  record.policy = *policy;
  record.subdomain_policy = subdomain_policy.value_or(*policy);
  return record;
}

}  // namespace mailhold::dmarc
