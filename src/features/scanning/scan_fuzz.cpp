#include <cstdlib>

#include "base/dns_answer.h"
#include "features/scanning/scan_messages.h"
#include "fuzz_seeds.h"

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

std::vector<std::string> fuzz_seeds() {
  return {
      "From: Ann <ann@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\n<a href=3D\"http://www.example.com/\">x</a>\r\n--b\r\n"
      "Content-Type: application/zip; name=\"a.zip\"\r\nContent-Transfer-Encoding: base64\r\n"
      "Content-Disposition: attachment; filename*=utf-8''a.zip\r\n\r\n"
      "UEsDBBQAAAAAAAAAAAAAAAAAAwAAAAMAAAAFAAAAYS50eHRhYmNQSwECFAAUAAAAAAAAAAAAAAAAAAMAAAADAAAABQAAAAAAAAAAAAAAAAAAAAAAYS50\r\n"
      "eHRQSwUGAAAAAAEAAQAzAAAAJgAAAAAA\r\n--b--\r\n",
      "From: ann@example.com\r\nDate: Sun, 1 Jan 2023 00:00:00 +0000\r\n\r\nsee http://www.example.com/ and\r\n"
      "begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "--b", "\"", ";", "=", "=?", "?=", "http://", "X-Mailhold-", "From: ", "Subject: "};
}

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
