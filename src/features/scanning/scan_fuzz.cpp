#include <cstdlib>

#include "base/dns_answer.h"
#include "features/scanning/scan_messages.h"

using namespace mailhold;

namespace {

class NoAnswers final : public scanning::Answers {
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
    return std::vector<dns::Answer>(questions.size());
  }
  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
    return std::vector<std::string>(urls.size(), "https://links.example.net/x");
  }
  Result<int> connect_clamd(const Deadline&) override { return Error{ErrorKind::unavailable, "none"}; }
};

}  // namespace

// A whole scan of arbitrary bytes: what it returns must pass the gateway's own reading.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const bool loaded = bool(scanning::load_scan_tables());
  if (!loaded) std::abort();
  scanning::ScanRequest request;
  request.client_ip = "192.0.2.1";
  request.helo = "mail.example";
  request.mail_from = "a@example.com";
  request.authserv_id = "mx.example";
  request.content = {reinterpret_cast<const char*>(data), size};
  NoAnswers answers;
  scanning::Limits limits;
  limits.decoded_bytes_max = 4u << 20;
  const auto result = scanning::scan_message(request, answers, Deadline::after(std::chrono::seconds(10)), limits);
  if (!scanning::parse_result(scanning::encode_result(result), size, limits)) std::abort();
  return 0;
}
