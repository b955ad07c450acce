// DMARC: whether the domain a reader sees in From is the one that was authenticated, and what its owner asks
// for if not. RFC 7489. Pure but for loading the public suffix list once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dns_answer.h"
#include "base/result.h"

struct psl_ctx_st;

namespace mailhold::dmarc {

// The public suffix list. Immutable after loading, so any thread may use it.
class PublicSuffixes {
 public:
  // Debian: /usr/share/publicsuffix/public_suffix_list.dafsa (or .dat). not_found if unreadable, corrupt if empty.
  static Result<PublicSuffixes> load(const std::string& path);
  static Result<PublicSuffixes> built_in();  // the list libpsl was built with

  // The suffix and one label: "b.c.co.uk" gives "c.co.uk". The domain itself if it is a suffix or has no dot.
  std::string organizational_domain(std::string_view domain) const;
  bool is_public_suffix(std::string_view domain) const;

 private:
  struct Closer {
    void operator()(const psl_ctx_st* list) const;
  };
  explicit PublicSuffixes(std::shared_ptr<const psl_ctx_st> list) : list_(std::move(list)) {}
  std::shared_ptr<const psl_ctx_st> list_;
};

enum class Policy { none, quarantine, reject };
enum class Alignment { relaxed, strict };
std::string_view name_of(Policy policy);

struct Record {
  Policy policy = Policy::none;
  Policy subdomain_policy = Policy::none;  // equals policy if sp is absent
  unsigned percent = 100;
  Alignment dkim = Alignment::relaxed;
  Alignment spf = Alignment::relaxed;
  std::string aggregate_reports{};  // rua as written
};

// invalid_input unless it is a DMARC1 record. As RFC 7489 section 6.6.3: a bad p with a usable rua counts as p=none.
Result<Record> parse_record(std::string_view text);

// The one domain of the one From address, lower case ASCII. invalid_input (detail is a fixed phrase) if there is no From field,
// more than one, more than one address, or text that different readers could read differently (RFC 7489 section 6.6.1).
// Gives the domain of an address, not a name in a comment, quoted string or encoded word.
Result<std::string> from_domain(const std::vector<std::string_view>& from_field_values);

enum class Outcome { none, pass, fail, temperror, permerror };
std::string_view name_of(Outcome outcome);

struct Input {
  Result<std::string> from = std::string();   // of from_domain()
  std::string spf_domain{};                   // what SPF passed for; empty unless it passed
  std::vector<std::string> dkim_domains{};    // d= of signatures that passed
  bool authentication_was_temporary = false;  // SPF or a DKIM key met temperror: then no fail is final
  unsigned sample = 0;                        // 0..99, for pct: the policy applies if sample < pct
};

struct Evaluation {
  Outcome outcome = Outcome::none;
  std::string problem{};  // a fixed phrase, safe to log
  std::string from_domain{};
  std::string record_domain{};        // where the record was found
  Policy published = Policy::none;    // p or sp, whichever counts for this domain
  Policy disposition = Policy::none;  // what to do with this message: none unless the outcome is fail
  bool spf_aligned = false;
  bool dkim_aligned = false;
};

Evaluation evaluate(const Input& input, const PublicSuffixes& suffixes, const dns::Lookup& lookup);

// The questions evaluate() will ask for this domain.
std::vector<dns::Question> policy_questions(std::string_view from_domain, const PublicSuffixes& suffixes);

}  // namespace mailhold::dmarc
