// Authentication: SPF, DKIM and DMARC of one message together, and our Authentication-Results field for it.
// Pure: time, sampling, suffix list and DNS come in. Does not decide what happens to the message: but note that
// dmarc.outcome permerror means that readers could see different authors, so that no policy could be applied.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/dns_answer.h"
#include "formats/dkim/dkim.h"
#include "formats/dmarc/dmarc.h"
#include "formats/spf/spf.h"

namespace mailhold::authentication {

struct AuthenticationInput {
  std::string client_ip{};  // 4 or 16 bytes (dns::parse_address)
  std::string helo{};
  std::string mail_from{};      // without <>
  dkim::MessageView message{};  // dkim::split_message(bytes), or spans from a parser: field list and body
  std::string authserv_id{};    // our name in Authentication-Results
  std::chrono::sys_seconds now{};
  unsigned sample = 0;  // 0..99, for pct of DMARC
};

struct AuthenticationResult {
  spf::Verdict spf{};
  std::vector<dkim::SignatureResult> dkim{};
  dmarc::Evaluation dmarc{};
  std::string header_field{};                 // "Authentication-Results: ...\r\n", to stand above the message
  std::string header_value{};                 // the same without name and final CRLF
  std::vector<std::size_t> forged_results{};  // index of fields in `message` that claim our authserv_id: remove them

  // The From domain, if it was proved by an aligned SPF or DKIM pass, even without a DMARC record; else empty.
  std::string authenticated_domain{};
};

AuthenticationResult evaluate(const AuthenticationInput& input, const dmarc::PublicSuffixes& suffixes, const dns::Lookup& lookup);

// What evaluate() is sure to ask: ask these in one batch first and keep the answers at hand. No duplicates.
std::vector<dns::Question> first_questions(const AuthenticationInput& input, const dmarc::PublicSuffixes& suffixes);

}  // namespace mailhold::authentication
