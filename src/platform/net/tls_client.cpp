#include "platform/net/tls_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/text.h"

namespace mailhold::net {
namespace {

std::string openssl_error() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return reason == nullptr ? "TLS failed" : reason;
}

template <class T, void (*release)(T*)>
struct Freed {
  void operator()(T* object) const { release(object); }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, ::SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL, ::SSL_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, ::X509_free>>;
using Anchors = std::unique_ptr<X509_STORE, Freed<X509_STORE, ::X509_STORE_free>>;

std::string pin_of(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  unsigned char* key = nullptr;
  const int key_bytes = ::i2d_X509_PUBKEY(::X509_get_X509_PUBKEY(certificate), &key);
  if (key_bytes <= 0) return {};
  ::EVP_Digest(key, static_cast<std::size_t>(key_bytes), digest, &size, ::EVP_sha256(), nullptr);
  ::OPENSSL_free(key);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

std::optional<std::string> pin_as_hex(std::string_view text) {
  const std::optional<std::string> bytes = text.size() == 64 ? from_hex(text) : from_base64(text);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  return to_hex(*bytes);
}

bool is_numeric_address(const std::string& name) {
  unsigned char buffer[16];
  return ::inet_pton(AF_INET, name.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, name.c_str(), buffer) == 1;
}

// OpenSSL's way out and in: our Stream, which waits by itself for as long as the call under way may.
struct Wire {
  std::unique_ptr<Stream> stream;
  // Many records for one call of the kernel. OpenSSL's own read-ahead would move all that is left at every record.
  std::vector<char> room = std::vector<char>(Stream::read_bytes_max);
  std::span<const char> arrived;  // what OpenSSL has not taken yet
  const Deadline* deadline = nullptr;
  bool may_wait = true;
  std::optional<Error> error;  // the first failure of the stream
};

int wire_write(BIO* bio, const char* bytes, int count) {
  auto* wire = static_cast<Wire*>(::BIO_get_data(bio));
  Status written = wire->stream->write_all({bytes, static_cast<std::size_t>(count)}, *wire->deadline);
  if (written) return count;
  wire->error = std::move(written.error());
  return -1;
}

// Nothing when nothing is there and nobody may wait.
Result<std::optional<std::size_t>> read_from(Wire& wire) {
  if (!wire.may_wait) return wire.stream->read_if_ready(wire.room);
  ASSIGN_OR_RETURN(const std::size_t count, wire.stream->read(wire.room, *wire.deadline));
  return std::optional(count);
}

int wire_read(BIO* bio, char* buffer, int count) {
  ::BIO_clear_retry_flags(bio);
  auto* wire = static_cast<Wire*>(::BIO_get_data(bio));
  if (wire->arrived.empty()) {
    const Result<std::optional<std::size_t>> read = read_from(*wire);
    if (!read) {
      wire->error = read.error();
      return -1;
    }
    if (!*read) {
      ::BIO_set_retry_read(bio);
      return -1;
    }
    wire->arrived = std::span<const char>(wire->room).first(**read);
  }
  const std::size_t size = std::min(static_cast<std::size_t>(count), wire->arrived.size());
  std::copy_n(wire->arrived.begin(), size, buffer);
  wire->arrived = wire->arrived.subspan(size);
  return static_cast<int>(size);
}

long wire_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    ::BIO_meth_set_write(made, wire_write);
    ::BIO_meth_set_read(made, wire_read);
    ::BIO_meth_set_ctrl(made, wire_control);
    return made;
  }();
  return method;
}

class TlsStream final : public Stream {
 public:
  TlsStream(Connection connection, std::unique_ptr<Wire> wire) : wire_(std::move(wire)), connection_(std::move(connection)) {}

  ~TlsStream() override {
    const Deadline brief = Deadline::after(std::chrono::milliseconds(200));
    wire_->deadline = &brief;
    if (!wire_->error && ::SSL_is_init_finished(connection_.get()))
      ::SSL_shutdown(connection_.get());  // close_notify, unanswered
    ::ERR_clear_error();
  }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Result<std::size_t> read(std::span<char> room, const Deadline& deadline) override {
    wire_->deadline = &deadline;
    ::ERR_clear_error();
    const int count = read_record(room);
    if (count > 0) return static_cast<std::size_t>(count);
    if (!wire_->error && ::SSL_get_error(connection_.get(), count) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
    return failure();
  }

  // Many records at once: how it ends is said by the next call.
  Result<std::optional<std::size_t>> read_if_ready(std::span<char> room) override {
    const Deadline brief = Deadline::after(std::chrono::seconds(5));  // for what TLS itself must say
    wire_->deadline = &brief;
    wire_->may_wait = false;
    std::size_t filled = 0;
    int count = 1;
    ::ERR_clear_error();
    while (count > 0 && filled < room.size()) {
      count = read_record(room.subspan(filled));
      if (count > 0) filled += static_cast<std::size_t>(count);
    }
    wire_->may_wait = true;
    if (filled > 0) return std::optional(filled);
    const int why = wire_->error ? SSL_ERROR_SYSCALL : ::SSL_get_error(connection_.get(), count);
    if (why == SSL_ERROR_WANT_READ) return std::optional<std::size_t>();
    if (why == SSL_ERROR_ZERO_RETURN) return std::optional(std::size_t{0});
    return failure();
  }

  Status write_all(std::string_view bytes, const Deadline& deadline) override {
    wire_->deadline = &deadline;
    while (!bytes.empty()) {
      std::size_t written = 0;
      ::ERR_clear_error();
      if (::SSL_write_ex(connection_.get(), bytes.data(), bytes.size(), &written) != 1) return failure();
      bytes.remove_prefix(written);
    }
    return done();
  }

 private:
  int read_record(std::span<char> room) {
    return ::SSL_read(connection_.get(), room.data(), static_cast<int>(std::min<std::size_t>(room.size(), INT_MAX)));
  }

  // A peer that ends TCP without close_notify may have been cut off: an error, not an end.
  Error failure() {
    if (wire_->error) return *wire_->error;
    wire_->error = Error{ErrorKind::unavailable, openssl_error()};
    return *wire_->error;
  }

  std::unique_ptr<Wire> wire_;
  Connection connection_;
};

// One for the process: what OpenSSL looks up to make one (ciphers, digests, groups) is the same for all peers. What differs is
// set for each connection.
SSL_CTX* client_context() {
  static const Context context = [] {
    Context made(::SSL_CTX_new(::TLS_client_method()));
    if (made == nullptr) return made;
    ::SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_options(made.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    ::SSL_CTX_set_mode(made.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    ::SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
    return made;
  }();
  return context.get();
}

class OpenSslClient final : public TlsClient {
 public:
  OpenSslClient(TlsPeer peer, Anchors anchors) : peer_(std::move(peer)), anchors_(std::move(anchors)) {}

  Result<std::unique_ptr<Stream>> start(std::unique_ptr<Stream> plain, const Deadline& deadline) override {
    auto wire = std::make_unique<Wire>();
    wire->stream = std::move(plain);
    wire->deadline = &deadline;
    Connection connection(::SSL_new(client_context()));
    BIO* bio = ::BIO_new(wire_method());
    if (connection == nullptr || bio == nullptr) return Error{ErrorKind::unavailable, openssl_error()};
    ::BIO_set_data(bio, wire.get());
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(connection.get(), bio, bio);
    // Pins are checked after the handshake, before any byte.
    ::SSL_set_verify(connection.get(), anchors_ == nullptr ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    if (anchors_ != nullptr) ::SSL_set1_verify_cert_store(connection.get(), anchors_.get());
    RETURN_IF_ERROR(name_the_peer(connection.get()));
    ::ERR_clear_error();
    if (::SSL_connect(connection.get()) != 1) {
      if (wire->error) return std::move(*wire->error).while_doing("TLS handshake");
      const long verdict = ::SSL_get_verify_result(connection.get());
      if (verifies_chain() && verdict != X509_V_OK) {
        ::ERR_clear_error();
        return Error{ErrorKind::denied, std::string("certificate refused: ") + ::X509_verify_cert_error_string(verdict)};
      }
      return Error{ErrorKind::unavailable, "TLS handshake: " + openssl_error()};
    }
    RETURN_IF_ERROR(check_pin(connection.get()));
    return std::unique_ptr<Stream>(std::make_unique<TlsStream>(std::move(connection), std::move(wire)));
  }

 private:
  bool verifies_chain() const { return anchors_ != nullptr; }

  Status name_the_peer(SSL* connection) const {
    const bool is_address = is_numeric_address(peer_.name);
    // SNI carries names only (RFC 6066 section 3).
    if (!peer_.name.empty() && !is_address) ::SSL_set_tlsext_host_name(connection, peer_.name.c_str());
    if (!verifies_chain()) return done();
    X509_VERIFY_PARAM* rule = ::SSL_get0_param(connection);
    ::X509_VERIFY_PARAM_set_hostflags(rule, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int named = is_address ? ::X509_VERIFY_PARAM_set1_ip_asc(rule, peer_.name.c_str())
                                 : ::X509_VERIFY_PARAM_set1_host(rule, peer_.name.c_str(), 0);
    if (named != 1) return Error{ErrorKind::invalid_input, "a name no certificate can carry"};
    return done();
  }

  Status check_pin(SSL* connection) const {
    if (peer_.pins.empty()) return done();
    const Certificate certificate(::SSL_get1_peer_certificate(connection));
    const std::string pin = certificate == nullptr ? std::string() : pin_of(certificate.get());
    if (!pin.empty() && std::find(peer_.pins.begin(), peer_.pins.end(), pin) != peer_.pins.end()) return done();
    return Error{ErrorKind::denied, "certificate refused: its key is not one of the pinned ones"};
  }

  const TlsPeer peer_;
  const Anchors anchors_;  // none: the chain is not verified
};

// What keep_system_anchors() has read. Parsing costs some milliseconds, so it is done once for all clients.
struct KeptAnchors {
  bool are_kept = false;
  std::string text;
  std::mutex mutex;
  Anchors store;  // guarded by mutex; null: not asked for yet
};

KeptAnchors& kept_anchors() {
  static KeptAnchors kept;
  return kept;
}

// A PEM text is taken as it is: a sandboxed process can open no file.
Status load_anchors(X509_STORE* store, const std::string& ca_file) {
  if (ca_file == "system") {
    if (::X509_STORE_set_default_paths(store) == 1) return done();
    return Error{ErrorKind::invalid_input, "cannot read the system's trust anchors: " + openssl_error()};
  }
  if (!ca_file.starts_with("-----BEGIN")) {
    if (::X509_STORE_load_file(store, ca_file.c_str()) == 1) return done();
    return Error{ErrorKind::invalid_input, "cannot read the CA file " + ca_file + ": " + openssl_error()};
  }
  BIO* text = ::BIO_new_mem_buf(ca_file.data(), static_cast<int>(ca_file.size()));
  int anchors = 0;
  for (X509* anchor = nullptr; (anchor = ::PEM_read_bio_X509(text, nullptr, nullptr, nullptr)) != nullptr; ::X509_free(anchor)) {
    anchors += ::X509_STORE_add_cert(store, anchor);
  }
  ::BIO_free(text);
  ::ERR_clear_error();  // the end of the text is reported as an error
  if (anchors == 0) return Error{ErrorKind::invalid_input, "there is no certificate in the CA's PEM text"};
  return done();
}

Result<Anchors> make_anchors(const std::string& ca_file) {
  Anchors anchors(::X509_STORE_new());
  if (anchors == nullptr) return Error{ErrorKind::unavailable, openssl_error()};
  RETURN_IF_ERROR(load_anchors(anchors.get(), ca_file));
  return anchors;
}

Result<Anchors> anchors_of(const std::string& ca_file) {
  KeptAnchors& kept = kept_anchors();
  if (ca_file != "system" || !kept.are_kept) return make_anchors(ca_file);
  if (kept.text.empty()) return Error{ErrorKind::invalid_input, "the system's trust anchors could not be read"};
  const std::lock_guard lock(kept.mutex);
  if (kept.store == nullptr) {
    ASSIGN_OR_RETURN(kept.store, make_anchors(kept.text));
  }
  ::X509_STORE_up_ref(kept.store.get());
  return Anchors(kept.store.get());
}

}  // namespace

Result<std::shared_ptr<TlsClient>> TlsClient::create(TlsPeer peer) {
  for (std::string& pin : peer.pins) {
    const std::optional<std::string> hex = pin_as_hex(pin);
    if (!hex) return Error{ErrorKind::invalid_input, "not the SHA-256 of a public key: " + pin};
    pin = *hex;
  }
  if (client_context() == nullptr) return Error{ErrorKind::unavailable, openssl_error()};
  Anchors anchors;
  if (peer.pins.empty() && !peer.ca_file.empty()) {
    if (peer.name.empty()) return Error{ErrorKind::invalid_input, "a name is needed to verify a certificate"};
    ASSIGN_OR_RETURN(anchors, anchors_of(peer.ca_file));
  }
  return std::shared_ptr<TlsClient>(std::make_shared<OpenSslClient>(std::move(peer), std::move(anchors)));
}

Status keep_system_anchors(const std::string& file) {
  KeptAnchors& kept = kept_anchors();
  std::ifstream bytes(file, std::ios::binary);
  kept.text.assign(std::istreambuf_iterator<char>(bytes), {});
  kept.store.reset();
  kept.are_kept = true;
  if (kept.text.empty()) return Error{ErrorKind::unavailable, "the system's trust anchors cannot be read: " + file};
  return done();
}

Result<std::string> pin_of_certificate(std::string_view pem) {
  const std::unique_ptr<BIO, Freed<BIO, ::BIO_free_all>> bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Certificate certificate(::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ::ERR_clear_error();
  if (certificate == nullptr) return Error{ErrorKind::invalid_input, "no PEM certificate"};
  return pin_of(certificate.get());
}

}  // namespace mailhold::net
