// What one scan costs in CPU, without waits: an 8 KiB HTML message with five links and a DKIM signature, and the same with an
// attachment of a megabyte. Prints microseconds for each message and the ratio to hashing the same bytes once.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdio>
#include <ctime>
#include <map>
#include <memory>

#include "base/dns_answer.h"
#include "base/text.h"
#include "features/scanning/scan.h"
#include "formats/dkim/dkim.h"
#include "formats/mime/transfer.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/rsa.h"

using namespace mailhold;

namespace {

class BenchAnswers final : public scanning::Answers {
 public:
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
    std::vector<dns::Answer> answers;
    for (const dns::Question& question : questions) {
      dns::Answer& answer = answers.emplace_back();
      answer.status = dns::AnswerStatus::nxdomain;
      const auto found = txt.find(question.name);
      if (question.type != dns::RecordType::txt || found == txt.end()) continue;
      answer.status = dns::AnswerStatus::ok;
      answer.records.push_back({found->second, 0});
    }
    return answers;
  }
  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
    return std::vector<std::string>(urls.size(), "https://links.example.net/shop.example/" + std::string(120, 't'));
  }
  Result<int> connect_clamd(const Deadline&) override { return Error{ErrorKind::unavailable, "none"}; }
  std::map<std::string, std::string> txt;
};

std::string html_message() {
  std::string html = "<html><body>";
  for (int i = 0; i < 5; ++i) html += "<p><a href=\"https://shop.example/offer?id=" + std::to_string(i) + "\">offer</a></p>";
  while (html.size() < 7400) html += "<p class=\"text\">A line of ordinary text with some <b>markup</b> in it.</p>\r\n";
  return "From: Ann <ann@sender.example>\r\nTo: bob@customer.example\r\nSubject: offers\r\nDate: Fri, 20 Nov 2026 09:30:00 "
         "+0000\r\n"
         "Message-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
         html + "</body></html>\r\n";
}

std::string with_attachment() {
  return "From: Ann <ann@sender.example>\r\nTo: bob@customer.example\r\nSubject: file\r\nMIME-Version: 1.0\r\n"
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "text/plain\r\n\r\nhttp://a.example/\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\n" +
         mime::encode_base64_lines("%PDF-1.4\n" + std::string(1u << 20, 'x'), 76, "\r\n", true) + "--b--\r\n";
}

double seconds_of(int times, const auto& work) {
  const std::clock_t start = std::clock();
  for (int i = 0; i < times; ++i) work();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / times;
}

void measure(const char* what, const std::string& content, BenchAnswers& answers, int times) {
  scanning::ScanRequest request;
  request.tenant = Id::random();
  request.client_ip = "192.0.2.1";
  request.helo = "mail.sender.example";
  request.mail_from = "ann@sender.example";
  request.authserv_id = "mx.customer.example";
  request.link_base = "https://links.example.net/";
  request.received_at = 1'795'340'000'000;
  request.content = content;
  const auto once = scanning::scan_message(request, answers, Deadline::after(std::chrono::seconds(10)));
  const double scan =
      seconds_of(times, [&] { (void)scanning::scan_message(request, answers, Deadline::after(std::chrono::seconds(10))); });
  const double hash = seconds_of(times, [&] { (void)crypto::sha256(content); });
  std::printf("scan: %s, %zu bytes: %.1f us CPU (dkim=%s, %u links), %.1f times one SHA-256\n", what, content.size(), scan * 1e6,
              once.authentication.dkim.c_str(), once.facts.link_count, scan / hash);
}

// PEM, as dkim::sign takes RSA keys.
std::string pem_of_new_key() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048), &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), &BIO_free_all);
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  const char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

void measure_rsa(const std::string& message, BenchAnswers& answers) {
  const std::string pem = pem_of_new_key();
  dkim::SigningRequest signing;
  signing.domain = "sender.example";
  signing.selector = "s2";
  signing.algorithm = dkim::Algorithm::rsa_sha256;
  signing.private_key = SecretText::copy_of(pem);
  const std::string der = crypto::RsaPrivateKey::from_pem(pem).value().public_key_der();
  answers.txt["s2._domainkey.sender.example"] = "v=DKIM1; k=rsa; p=" + to_base64(der);
  if (const auto field = dkim::sign(dkim::split_message(message), signing))
    measure("8 KiB HTML, five links, DKIM rsa", *field + message, answers, 3000);
}

}  // namespace

int main() {
  if (const Status loaded = scanning::load_scan_tables(); !loaded) return 1;
  BenchAnswers answers;
  answers.txt["sender.example"] = "v=spf1 ip4:192.0.2.0/24 -all";
  answers.txt["_dmarc.sender.example"] = "v=DMARC1; p=reject";
  const std::string unsigned_message = html_message();
  measure("8 KiB HTML, unsigned", unsigned_message, answers, 3000);
  dkim::SigningRequest signing;
  signing.domain = "sender.example";
  signing.selector = "s1";
  signing.private_key = SecretText::random(32);
  if (const auto signer = crypto::Ed25519Signer::from_seed(signing.private_key.reveal())) {
    answers.txt["s1._domainkey.sender.example"] = "v=DKIM1; k=ed25519; p=" + to_base64(signer->public_key());
  }
  if (const auto field = dkim::sign(dkim::split_message(unsigned_message), signing))
    measure("8 KiB HTML, five links, DKIM ed25519", *field + unsigned_message, answers, 3000);
  measure_rsa(unsigned_message, answers);
  measure("plain text and an attachment of 1 MiB", with_attachment(), answers, 50);
  return 0;
}
