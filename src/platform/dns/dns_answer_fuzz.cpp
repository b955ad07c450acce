// Record data as it comes from the net, and answers and requests as they come from another process.
#include <cstdint>
#include <cstdlib>

#include "fuzz_seeds.h"
#include "platform/dns/record_decoding.h"
#include "platform/dns/resolver_messages.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold;
  const std::string name("\3www\7example\0", 13);
  const std::vector<dns::Answer> answers = {{.status = dns::AnswerStatus::ok,
                                             .secure = true,
                                             .ttl_seconds = 60,
                                             .canonical_name = "a.example",
                                             .records = {{"mx.a.example", 10}}}};
  return {"." + name, std::string(".\0\12", 3) + name, ".\6v=spf1\4 all", "\1" + dns::encode(answers),
          "." + dns::encode(dns::ResolveRequest{std::chrono::milliseconds(100), {{"a.example", dns::RecordType::mx}}})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  using dns::RecordType;
  for (RecordType type :
       {RecordType::a, RecordType::cname, RecordType::ptr, RecordType::mx, RecordType::txt, RecordType::aaaa, RecordType::tlsa}) {
    const auto record = dns::decode_record(type, input);
    if (!record) continue;
    const bool is_name =
        type == RecordType::cname || type == RecordType::ptr || (type == RecordType::mx && !record->value.empty());
    if (is_name && dns::normal_name(record->value) != record->value) std::abort();
  }
  if (const auto answers = dns::parse_answers(input, data[0] % 8); answers && dns::encode(*answers) != input) std::abort();
  if (const auto request = dns::parse_request(input); request && dns::encode(*request) != input) std::abort();
  return 0;
}
