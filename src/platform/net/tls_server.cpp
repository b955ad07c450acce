#include "platform/net/tls_server.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <climits>

namespace mailhold::net {
namespace {

constexpr long certificate_seconds = 60L * 24 * 3600;

struct Free {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(BIO* p) const { BIO_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Error tls_error(ErrorKind kind, const char* what) {
  char text[160] = "";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return {kind, std::string(what) + ": " + text};
}

Owned<BIO> reading(std::string_view pem) {
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), INT_MAX))));
}

// A key file may not ask for its passphrase on our terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

Result<Owned<SSL_CTX>> new_context() {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  if (!context) return tls_error(ErrorKind::bug, "SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Forward secrecy and authenticated encryption only, also under TLS 1.2.
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);  // an idle session keeps no record buffers
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  return context;
}

Owned<X509> certificate_for(std::string_view host_name, EVP_PKEY* key) {
  Owned<X509> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), certificate_seconds);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(host_name.data()),
                             static_cast<int>(std::min<std::size_t>(host_name.size(), 64)), -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  return certificate;
}

}  // namespace

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::from_pem(std::string_view chain_pem, std::string_view key_pem) {
  ASSIGN_OR_RETURN(Owned<SSL_CTX> context, new_context());
  const Owned<BIO> chain = reading(chain_pem);
  Owned<X509> leaf(PEM_read_bio_X509(chain.get(), nullptr, no_passphrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context.get(), leaf.get()) != 1) return tls_error(ErrorKind::invalid_input, "certificate");
  for (Owned<X509> next(PEM_read_bio_X509(chain.get(), nullptr, no_passphrase, nullptr)); next;
       next.reset(PEM_read_bio_X509(chain.get(), nullptr, no_passphrase, nullptr))) {
    if (SSL_CTX_add1_chain_cert(context.get(), next.get()) != 1) return tls_error(ErrorKind::invalid_input, "certificate chain");
  }
  ERR_clear_error();  // the end of the chain is no error
  const Owned<BIO> key_bytes = reading(key_pem);
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_bytes.get(), nullptr, no_passphrase, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 || SSL_CTX_check_private_key(context.get()) != 1) {
    return tls_error(ErrorKind::invalid_input, "private key");
  }
  return std::shared_ptr<const TlsIdentity>(new TlsIdentity(context.release()));
}

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::self_signed(std::string_view host_name) {
  ASSIGN_OR_RETURN(Owned<SSL_CTX> context, new_context());
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  if (!key) return tls_error(ErrorKind::bug, "key");
  const Owned<X509> certificate = certificate_for(host_name, key.get());
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0 ||
      SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return tls_error(ErrorKind::bug, "certificate");
  }
  return std::shared_ptr<const TlsIdentity>(new TlsIdentity(context.release()));
}

TlsIdentity::~TlsIdentity() { SSL_CTX_free(context_); }

TlsServerSession::TlsServerSession(std::shared_ptr<const TlsIdentity> identity)
    : identity_(std::move(identity)), ssl_(SSL_new(identity_->context_)) {
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_);
}

TlsServerSession::~TlsServerSession() { SSL_free(ssl_); }

void TlsServerSession::collect_output() {
  char buffer[16 * 1024];
  for (int count = BIO_read(SSL_get_wbio(ssl_), buffer, sizeof buffer); count > 0;
       count = BIO_read(SSL_get_wbio(ssl_), buffer, sizeof buffer)) {
    output_.append(buffer, static_cast<std::size_t>(count));
  }
}

Status TlsServerSession::receive(std::string_view wire, std::string& plain) {
  ERR_clear_error();
  while (!wire.empty()) {
    const int taken = BIO_write(SSL_get_rbio(ssl_), wire.data(), static_cast<int>(std::min<std::size_t>(wire.size(), 1u << 20)));
    if (taken <= 0) return tls_error(ErrorKind::bug, "BIO_write");
    wire.remove_prefix(static_cast<std::size_t>(taken));
    for (;;) {
      char buffer[16 * 1024];
      const int count = SSL_read(ssl_, buffer, sizeof buffer);  // shakes hands first
      established_ = SSL_is_init_finished(ssl_) == 1;
      collect_output();
      if (count > 0) {
        plain.append(buffer, static_cast<std::size_t>(count));
        continue;
      }
      const int why = SSL_get_error(ssl_, count);
      if (why == SSL_ERROR_WANT_READ) break;
      if (why == SSL_ERROR_ZERO_RETURN) {
        closed_by_peer_ = true;
        return done();
      }
      return tls_error(ErrorKind::unavailable, "TLS");
    }
  }
  return done();
}

Status TlsServerSession::send(std::string_view plain) {
  ERR_clear_error();
  while (!plain.empty()) {
    const int count = SSL_write(ssl_, plain.data(), static_cast<int>(std::min<std::size_t>(plain.size(), 1u << 20)));
    if (count <= 0) return tls_error(ErrorKind::unavailable, "TLS");
    plain.remove_prefix(static_cast<std::size_t>(count));
  }
  collect_output();
  return done();
}

void TlsServerSession::close() {
  if (!established_) return;
  SSL_shutdown(ssl_);
  ERR_clear_error();
  collect_output();
}

std::string TlsServerSession::description() const {
  return std::string(SSL_get_version(ssl_)) + " " + SSL_CIPHER_get_name(SSL_get_current_cipher(ssl_));
}

}  // namespace mailhold::net
