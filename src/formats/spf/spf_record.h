// A record of SPF as written, RFC 7208 sections 4.5, 5, 6 and 12. Parsing checks the whole record, so that a
// syntax error anywhere is found before any term is evaluated (section 4.6).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/spf/spf.h"

namespace mailhold::spf {

enum class Mechanism { all, include, a, mx, ptr, ip4, ip6, exists };

struct Directive {
  Outcome if_matched = Outcome::pass;
  Mechanism mechanism = Mechanism::all;
  std::string domain_spec{};  // empty: the current domain
  std::string network{};      // ip4, ip6: 4 or 16 bytes
  unsigned ip4_prefix = 32;
  unsigned ip6_prefix = 128;
  std::string text{};  // as written
};

struct SpfRecord {
  std::vector<Directive> directives{};
  std::string redirect{};     // domain-spec; empty: none
  std::string explanation{};  // domain-spec of exp=; empty: none
};

// Whether a TXT record is meant as SPF: "v=spf1" and then a space or nothing.
bool is_spf_record(std::string_view text);

// invalid_input (detail is a fixed phrase) for what section 4.6 calls a syntax error. `text` satisfies is_spf_record().
Result<SpfRecord> parse_record(std::string_view text);

}  // namespace mailhold::spf
