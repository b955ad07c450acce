// The DKIM-Signature field as a value, RFC 6376 section 3.5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dkim/dkim.h"

namespace mailhold::dkim {

struct Signature {
  Outcome outcome = Outcome::none;  // none: usable; else the final result already
  std::string problem{};

  std::string domain{};     // d=, lower case
  std::string selector{};   // s=, lower case
  std::string identity{};   // i=, or "@" and d=
  std::string algorithm{};  // a=, lower case
  Canonical header_form = Canonical::simple;
  Canonical body_form = Canonical::simple;
  std::string body_hash{};                     // bh= decoded
  std::string bytes{};                         // b= decoded
  std::string signature_start{};               // first 8 characters of b=
  std::vector<std::string> field_names{};      // h=, lower case, in order
  std::optional<std::uint64_t> body_length{};  // l=
  std::optional<std::uint64_t> expires_at{};   // x=, seconds since 1970
  std::string_view raw_b{};                    // what must be left out of the field when it is hashed
};

// The value of a DKIM-Signature field; `outcome` says what is wrong with it, if anything.
Signature parse_signature(std::string_view value);

// "selector._domainkey.domain" of a usable signature.
dns::Question key_question(const Signature& signature);

}  // namespace mailhold::dkim
