#include "platform/net/tls_rehearsal.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "platform/net/tls_client.h"

namespace mailhold::net {
namespace {

using namespace std::chrono_literals;

constexpr const char* server_name = "rehearsal.invalid";
constexpr long certificate_seconds = 3600;
constexpr int rsa_bits = 2048;

template <class T, void (*release)(T*)>
struct Freed {
  void operator()(T* object) const { release(object); }
};
template <class T, void (*release)(T*)>
using Held = std::unique_ptr<T, Freed<T, release>>;
using Key = Held<EVP_PKEY, ::EVP_PKEY_free>;
using Certificate = Held<X509, ::X509_free>;
using Context = Held<SSL_CTX, ::SSL_CTX_free>;
using Connection = Held<SSL, ::SSL_free>;

Error failed(const char* what) {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return {ErrorKind::unavailable, std::string("TLS rehearsal: ") + what + (reason == nullptr ? "" : std::string(": ") + reason)};
}

Certificate certificate_of(EVP_PKEY* key) {
  Certificate certificate(::X509_new());
  if (certificate == nullptr) return certificate;
  X509* raw = certificate.get();
  ::X509_set_version(raw, X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(raw), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(raw), -certificate_seconds);
  ::X509_gmtime_adj(::X509_getm_notAfter(raw), certificate_seconds);
  X509_NAME* name = ::X509_get_subject_name(raw);
  ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(server_name), -1, -1, 0);
  ::X509_set_issuer_name(raw, name);
  ::X509_set_pubkey(raw, key);
  const std::string names = std::string("DNS:") + server_name;
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  const bool named = extension != nullptr && ::X509_add_ext(raw, extension, -1) == 1;
  ::X509_EXTENSION_free(extension);
  if (!named || ::X509_sign(raw, key, ::EVP_sha256()) == 0) certificate.reset();
  return certificate;
}

std::string pem_of(X509* certificate) {
  const Held<BIO, ::BIO_free_all> text(::BIO_new(::BIO_s_mem()));
  char* bytes = nullptr;
  if (text == nullptr || ::PEM_write_bio_X509(text.get(), certificate) != 1) return {};
  const long size = ::BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

// A stream whose far end is a server in this process: what is written moves it on, and what it answers is read.
class StreamToServer final : public Stream {
 public:
  explicit StreamToServer(Connection server) : server_(std::move(server)) {}

  Result<std::size_t> read(std::span<char> room, const Deadline&) override {
    const int count = ::BIO_read(::SSL_get_wbio(server_.get()), room.data(), static_cast<int>(room.size()));
    return static_cast<std::size_t>(std::max(count, 0));
  }
  Result<std::optional<std::size_t>> read_if_ready(std::span<char> room) override {
    ASSIGN_OR_RETURN(const std::size_t count, read(room, {}));
    return count == 0 ? std::optional<std::size_t>() : std::optional(count);
  }
  Status write_all(std::string_view bytes, const Deadline&) override {
    ::BIO_write(::SSL_get_rbio(server_.get()), bytes.data(), static_cast<int>(bytes.size()));
    char line[64];
    // Reading makes the handshake too; whatever the client says is answered with the same.
    const int count = ::SSL_read(server_.get(), line, sizeof line);
    if (count > 0) ::SSL_write(server_.get(), line, count);
    ::ERR_clear_error();
    return done();
  }

 private:
  Connection server_;
};

Status rehearse_with(const Key& key, int version) {
  const Certificate certificate = key == nullptr ? nullptr : certificate_of(key.get());
  const Context context(::SSL_CTX_new(::TLS_server_method()));
  if (certificate == nullptr || context == nullptr) return failed("no certificate");
  if (::SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
      ::SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 || ::SSL_CTX_set_max_proto_version(context.get(), version) != 1)
    return failed("no server");
  Connection server(::SSL_new(context.get()));
  BIO* in = ::BIO_new(::BIO_s_mem());
  BIO* out = ::BIO_new(::BIO_s_mem());
  if (server == nullptr || in == nullptr || out == nullptr) return failed("no connection");
  ::SSL_set_bio(server.get(), in, out);
  ::SSL_set_accept_state(server.get());

  ASSIGN_OR_RETURN(const auto client, TlsClient::create({server_name, pem_of(certificate.get()), {}}));
  const Deadline soon = Deadline::after(10s);
  ASSIGN_OR_RETURN(const auto stream, client->start(std::make_unique<StreamToServer>(std::move(server)), soon));
  RETURN_IF_ERROR(stream->write_all("EHLO\r\n", soon));
  ASSIGN_OR_RETURN(const std::string answer, stream->read_some(soon));
  if (answer != "EHLO\r\n") return failed("another answer than what was said");
  return done();
}

}  // namespace

Status rehearse_tls() {
  RETURN_IF_ERROR(rehearse_with(Key(::EVP_RSA_gen(rsa_bits)), TLS1_3_VERSION));
  RETURN_IF_ERROR(rehearse_with(Key(::EVP_EC_gen("P-256")), TLS1_3_VERSION));
  return rehearse_with(Key(::EVP_EC_gen("P-256")), TLS1_2_VERSION);
}

}  // namespace mailhold::net
