#include <cstdlib>

#include "base/dns_answer.h"
#include "features/scanning/scan_messages.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  scanning::ScanResult result;
  result.findings.virus = "Eicar";
  result.reasons = {{"virus", "a virus was found"}};
  result.facts = {"subject", {"ann@a.example"}, "id@a.example", {{"a.pdf", "application/pdf", 10, std::string(64, 'a')}}, 2};
  result.authentication.field = "mx.example;\r\n spf=pass";
  result.splices = {{10, 20, "https://links.example/x"}, {100, 5, "y"}};
  result.layout = {{0, 300, false}, {400, 100, true}};
  scanning::ScanCall call;
  call.request.client_ip = "192.0.2.1";
  call.request.rcpt_to = {"bob@b.example"};
  call.request.tenant_domains = {"b.example"};
  call.request.content = "Subject: x\r\n\r\ny\r\n";
  const std::vector<dns::Question> questions = {{"a.example", dns::RecordType::mx}};
  const std::vector<dns::Answer> answers = {{.status = dns::AnswerStatus::ok, .records = {{"mx.a.example", 10}}}};
  const std::vector<std::string> urls = {"http://a.example/", "http://b.example/"};
  const scanning::CompareRequest compared{{}, scanning::ComparedForm::vcard, "BEGIN:VCARD", "END:VCARD"};
  const scanning::Comparison comparison{true, false, {"VEVENT.RRULE", "components"}};
  return {scanning::encode_compare(compared), scanning::encode_comparison(comparison), scanning::encode_result(result),
          scanning::encode_scan(call),        scanning::encode_questions(questions),   scanning::encode_answers(answers),
          scanning::encode_urls(urls)};
}

// The gateway's reading of what a worker says, and the worker's reading of requests.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t message_size = 1000;
  const std::string message(message_size, 'm');
  if (const auto result = scanning::parse_result(frame, message_size, {})) {
    const auto applied = scanning::apply_splices(message, result->splices);
    if (!applied) std::abort();
    for (const scanning::BodySpan& span : result->layout) {
      if (span.offset + span.length > applied->size()) std::abort();
    }
    if (scanning::encode_result(*result) != frame) std::abort();
  }
  (void)scanning::parse_scan(frame);
  (void)scanning::parse_questions(frame);
  (void)scanning::parse_answers(frame);
  (void)scanning::parse_urls(frame);
  (void)scanning::parse_compare(frame);
  if (const auto comparison = scanning::parse_comparison(frame); comparison && scanning::encode_comparison(*comparison) != frame)
    std::abort();
  return 0;
}
