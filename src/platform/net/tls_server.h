// TLS as a server, without any socket: bytes of the wire in, plain bytes out, and back. So one
// thread can serve many sessions. TLS 1.2 and newer.
//
// TlsIdentity may be shared by threads and replaced at any time: sessions keep the one they began
// with. A TlsServerSession is used by one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace mailhold::net {

// A certificate chain with its private key.
class TlsIdentity {
 public:
  // invalid_input: a PEM text cannot be read, or the key is not the certificate's.
  static Result<std::shared_ptr<const TlsIdentity>> from_pem(std::string_view chain_pem, std::string_view key_pem);
  // A fresh P-256 key with a certificate signed by itself, good for 60 days: enough against listeners (RFC 7435).
  static Result<std::shared_ptr<const TlsIdentity>> self_signed(std::string_view host_name);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

 private:
  friend class TlsServerSession;
  explicit TlsIdentity(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

class TlsServerSession {
 public:
  explicit TlsServerSession(std::shared_ptr<const TlsIdentity> identity);
  ~TlsServerSession();
  TlsServerSession(const TlsServerSession&) = delete;
  TlsServerSession& operator=(const TlsServerSession&) = delete;

  // Takes bytes from the wire; appends what the client said to `plain`. Handshake messages answer into output().
  // unavailable: the client broke TLS off, or what came is not TLS; output() may hold an alert to send.
  Status receive(std::string_view wire, std::string& plain);
  // Encrypts into output(). Only once established.
  Status send(std::string_view plain);
  void close();  // the closing alert into output()

  bool is_established() const { return established_; }
  bool is_closed_by_peer() const { return closed_by_peer_; }
  std::string description() const;           // "TLSv1.3 TLS_AES_256_GCM_SHA384"
  std::string& output() { return output_; }  // for the wire

 private:
  void collect_output();

  std::shared_ptr<const TlsIdentity> identity_;
  ssl_st* ssl_;
  std::string output_;
  bool established_ = false, closed_by_peer_ = false;
};

}  // namespace mailhold::net
