// Input: the record of the domain, and after a NUL byte the local part and helo of the sender.
#include <cstdint>
#include <cstdlib>

#include "formats/spf/spf.h"
#include "formats/spf/spf_record.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {std::string("v=spf1 a:%{d}/24//64 mx ip4:192.0.2.0/24 ip6:2001:db8::/32 exists:%{ir}.%{l1r+-}._spf.%{d2} ?ptr -all") +
              '\0' + "ann",
          std::string("v=spf1 include:a.example redirect=b.example exp=%{S}.c.example") + '\0' + "ann"};
}

std::vector<std::string> fuzz_words() {
  return {"%{", "}", "/", "//", " ", "include:", "redirect=", "exp=", "a:", "ptr", "0", "-", "~"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  std::string record(input.substr(0, end));
  if (!spf::is_spf_record(record)) record.insert(0, "v=spf1 ");  // anything else ends at once
  const std::string rest(input.substr(std::min(end + 1, input.size())));
  unsigned questions = 0;
  const dns::Lookup lookup = [&](const dns::Question& question) -> dns::Answer {
    if (dns::normal_name(question.name) != question.name) std::abort();  // nothing that DNS cannot carry is ever asked
    ++questions;
    switch (question.type) {
      case dns::RecordType::txt: return {.status = dns::AnswerStatus::ok, .records = {{record, 0}}};
      case dns::RecordType::a: return {.status = dns::AnswerStatus::ok, .records = {{std::string("\x7f\0\0\1", 4), 0}}};
      case dns::RecordType::mx: return {.status = dns::AnswerStatus::ok, .records = {{"mx.example", 1}, {rest, 2}}};
      case dns::RecordType::ptr: return {.status = dns::AnswerStatus::ok, .records = {{rest, 0}, {"a.example.com", 0}}};
      default: return {.status = dns::AnswerStatus::nodata};
    }
  };
  for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
    const spf::Verdict verdict =
        spf::check({.client_ip = *dns::parse_address(address), .helo = rest, .mail_from = rest + "@example.com"}, lookup);
    if (verdict.terms_asked > 11) std::abort();
  }
  if (questions > 2 * 400) std::abort();
  (void)spf::parse_record(record);
  return 0;
}
