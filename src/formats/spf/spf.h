// SPF: whether a host may send for a domain, RFC 7208. Pure: all it knows of the world comes through `lookup`.
// Limits of section 4.6.4: 10 terms that ask DNS, 2 void lookups, 10 names of one MX or PTR.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/dns_answer.h"

namespace mailhold::spf {

enum class Outcome { none, neutral, pass, fail, softfail, temperror, permerror };
std::string_view name_of(Outcome outcome);  // "pass", as RFC 7208 and RFC 8601 spell it

struct Sender {
  std::string client_ip{};           // 4 or 16 bytes
  std::string helo{};                // as the client said it
  std::string mail_from{};           // without <>; empty for the null reverse-path: then postmaster@helo is checked
  std::string receiver = "unknown";  // our own name, only for the %{r} macro of explanations
  std::int64_t now_seconds = 0;      // since 1970, only for the %{t} macro of explanations
};

struct Verdict {
  Outcome outcome = Outcome::none;
  std::string domain{};       // what was checked: domain of mail_from or helo, lower case; may be odd bytes if outcome is none
  bool checked_helo = false;  // mail_from was empty
  std::string term{};         // the mechanism that decided, as in the record; empty if none did
  std::string problem{};      // for permerror and temperror: what is wrong, safe to log (no record text)
  std::string explanation{};  // the domain's own words for a fail, printable ASCII; empty if it gave none
  unsigned terms_asked = 0;
};

// check_host() of section 4. An IPv6-mapped IPv4 address counts as IPv4.
Verdict check(const Sender& sender, const dns::Lookup& lookup);

// Domain that check() will ask about; empty if there is none it could ask (RFC 7208 section 4.3: none).
std::string domain_to_check(const Sender& sender);

}  // namespace mailhold::spf
