// TlsClient: TLS 1.2 or newer as a client, over any Stream. One TlsClient serves many connections
// and threads; it keeps the trust anchors loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/net/stream.h"

namespace mailhold::net {

// How the peer is verified. With pins: the SHA-256 of the certificate's public key (SPKI, DER) must be among them, and
// names and authorities do not matter. Else with a CA file: the chain must end there and the certificate must carry
// `name`. Else nothing is verified (opportunistic TLS, RFC 7435): protects from listeners only.
struct TlsPeer {
  std::string name;               // for SNI and for verification; empty: no SNI
  std::string ca_file;            // a PEM file or PEM text; "system": the distribution's trust anchors; empty: not verified by CA
  std::vector<std::string> pins;  // 64 hex digits each, or 44 base64 characters
};

class TlsClient {
 public:
  // invalid_input: a pin or the CA file cannot be read, or a CA file without a name.
  static Result<std::shared_ptr<TlsClient>> create(TlsPeer peer);
  virtual ~TlsClient() = default;

  // The handshake over `plain`, whose every byte is TLS from now on. denied: the peer is not who it must be.
  // unavailable: no TLS there, or the connection ended. timed_out, cancelled.
  virtual Result<std::unique_ptr<Stream>> start(std::unique_ptr<Stream> plain, const Deadline& deadline) = 0;
};

// For a process that can open no file later: reads the distribution's trust anchors, which "system" means from then on, in this
// process and in its copies. They are parsed with the first client that needs them. unavailable: the file cannot be read; then
// such a client cannot be made. Before there is a second thread.
inline constexpr const char* system_anchors_file = "/etc/ssl/certs/ca-certificates.crt";
Status keep_system_anchors(const std::string& file);

// SHA-256 of the public key of a PEM certificate, as 64 hex digits; invalid_input if there is none.
Result<std::string> pin_of_certificate(std::string_view pem);

}  // namespace mailhold::net
