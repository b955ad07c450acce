// Input: a policy record, a NUL byte, then the value of a From field.
#include <cstdint>
#include <cstdlib>

#include "formats/dmarc/dmarc.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {std::string("v=DMARC1; p=reject; sp=none; pct=50; adkim=s; aspf=r; rua=mailto:a@b.example") + '\0' +
              "Ann (x) <ann@example.com>",
          "v=DMARC1;p=none;pct=100", std::string("v=DMARC1; p=none") + '\0' + "\"Ann\" <\"a b\"@xn--bcher-kva.example>"};
}

std::vector<std::string> fuzz_words() { return {";", "=", "pct=", "p=", "\"", "\\", "<", ">", "@", "(", ")", ",", "0"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  static const dmarc::PublicSuffixes suffixes = dmarc::PublicSuffixes::built_in().value();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string record(input.substr(0, end));
  if (const auto parsed = dmarc::parse_record(record); parsed && parsed->percent > 100) std::abort();
  dmarc::Input evaluated;
  evaluated.from = dmarc::from_domain({input.substr(std::min(end + 1, input.size()))});
  if (evaluated.from && dns::normal_name(*evaluated.from) != *evaluated.from) std::abort();
  evaluated.spf_domain = "attacker.example";
  const auto evaluation = dmarc::evaluate(evaluated, suffixes, [&](const dns::Question&) {
    return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{record, 0}}};
  });
  if (evaluation.outcome == dmarc::Outcome::pass && !evaluation.from_domain.ends_with("attacker.example")) std::abort();
  return 0;
}
