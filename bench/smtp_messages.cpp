#include "bench/smtp_messages.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "formats/dkim/dkim.h"

namespace mailhold::bench {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;

std::string to_der(EVP_PKEY* key, int (*write)(const EVP_PKEY*, unsigned char**)) {
  unsigned char* bytes = nullptr;
  const int size = write(key, &bytes);
  std::string der(reinterpret_cast<char*>(bytes), size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(bytes);
  return der;
}

std::string private_pem(const EVP_PKEY* key) {
  BIO* out = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  const char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  std::string pem(bytes, size > 0 ? static_cast<std::size_t>(size) : 0);
  BIO_free(out);
  return pem;
}

std::string fresh_key(bool rsa) {
  if (!rsa) return random_bytes(32);
  const Key key(EVP_RSA_gen(2048));
  return private_pem(key.get());
}

Result<std::string> public_record(bool rsa, const std::string& private_key) {
  if (!rsa) {
    const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                               reinterpret_cast<const unsigned char*>(private_key.data()), private_key.size()));
    std::string raw(32, '\0');
    std::size_t size = raw.size();
    if (!key || EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) != 1)
      return Error{ErrorKind::invalid_input, "not an ed25519 key"};
    return "v=DKIM1; k=ed25519; p=" + to_base64(raw);
  }
  BIO* in = BIO_new_mem_buf(private_key.data(), static_cast<int>(private_key.size()));
  const Key key(PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr));
  BIO_free(in);
  if (!key) return Error{ErrorKind::invalid_input, "not an RSA key"};
  return "v=DKIM1; k=rsa; p=" + to_base64(to_der(key.get(), i2d_PUBKEY));
}

Result<std::string> key_of(const MessageSettings& settings) {
  if (settings.key_file.empty()) return fresh_key(settings.rsa);
  std::ifstream file(settings.key_file, std::ios::binary);
  if (file) return std::string(std::istreambuf_iterator<char>(file), {});
  const std::string key = fresh_key(settings.rsa);
  std::ofstream(settings.key_file, std::ios::binary) << key;
  return key;
}

// Text that no two messages share, in lines below 78 bytes.
std::string message_text(const MessageSettings& settings, std::size_t number) {
  const std::string unique = to_hex(random_bytes(8));
  std::string text = "From: Load <load@" + settings.author_domain + ">\r\nTo: someone@" + settings.recipient_domain +
                     "\r\nSubject: load " + std::to_string(number) + " " + unique +
                     "\r\nDate: " + to_rfc5322(system_clock().now()) +
                     "\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: "
                     "7bit\r\n\r\n<html><body>\r\n";
  for (int link = 0; link < 5; ++link) {
    text += "<p><a href=\"https://shop" + std::to_string(link) + ".example.com/offer/" + unique + "?n=" + std::to_string(number) +
            "\">offer " + std::to_string(link) + "</a></p>\r\n";
  }
  const std::string ending = "</body></html>\r\n";
  constexpr std::size_t signature_bytes = 900;
  while (text.size() + 74 + ending.size() + signature_bytes < settings.bytes) {
    text += "<p>" + to_hex(random_bytes(32)) + "</p>\r\n";
  }
  return text + ending;
}

}  // namespace

Result<MessagePool> make_messages(const MessageSettings& settings) {
  ASSIGN_OR_RETURN(const std::string private_key, key_of(settings));
  MessagePool pool;
  pool.messages.resize(settings.count);
  pool.dns_name = settings.selector + "._domainkey." + settings.author_domain;
  ASSIGN_OR_RETURN(pool.dns_text, public_record(settings.rsa, private_key));

  std::mutex mutex;
  Status first_failure = done();
  std::vector<std::jthread> signers;
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned thread = 0; thread < threads; ++thread) {
    signers.emplace_back([&, thread] {
      dkim::SigningRequest request;
      request.domain = settings.author_domain;
      request.selector = settings.selector;
      request.algorithm = settings.rsa ? dkim::Algorithm::rsa_sha256 : dkim::Algorithm::ed25519_sha256;
      request.private_key = SecretText::copy_of(private_key);
      request.field_names = {"From", "To", "Subject", "Date", "MIME-Version", "Content-Type"};
      for (std::size_t i = thread; i < settings.count; i += threads) {
        const std::string text = message_text(settings, i);
        const Result<std::string> field = dkim::sign(dkim::split_message(text), request);
        const std::lock_guard lock(mutex);
        if (field)
          pool.messages[i] = *field + text;
        else
          first_failure = field.error();
      }
    });
  }
  signers.clear();
  RETURN_IF_ERROR(std::move(first_failure));
  return pool;
}

}  // namespace mailhold::bench
