#include "platform/net/tls_server.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "platform/net/listener.h"
#include "platform/net/parking.h"

namespace mailhold::net {
namespace {

// OpenSSL's own client over memory, as the far end.
class MemoryClient {
 public:
  explicit MemoryClient(int version_max) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_max_proto_version(context_, version_max);
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
  }
  ~MemoryClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  MemoryClient(const MemoryClient&) = delete;
  MemoryClient& operator=(const MemoryClient&) = delete;

  std::string wire() {
    std::string bytes(65536, '\0');
    const int count = BIO_read(SSL_get_wbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }
  void receive(std::string& bytes) {
    if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
    bytes.clear();
  }
  bool shake(TlsServerSession& server, std::size_t cut) {
    std::string plain;
    for (int round = 0; round < 10; ++round) {
      const int outcome = SSL_do_handshake(ssl_);
      const std::string bytes = wire();
      for (std::size_t at = 0; at < bytes.size(); at += cut) {
        if (!server.receive(std::string_view(bytes).substr(at, cut), plain)) return false;
      }
      receive(server.output());
      if (outcome == 1 && server.is_established()) return true;
    }
    return false;
  }
  void say(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string heard() {
    char buffer[65536];
    const int count = SSL_read(ssl_, buffer, sizeof buffer);
    return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
  }
  void close() { SSL_shutdown(ssl_); }

 private:
  SSL_CTX* context_;
  SSL* ssl_;
};

TEST(TlsServer, talks_tls_1_2_and_1_3_however_the_network_cuts) {
  const auto identity = TlsIdentity::self_signed("mx.test").value();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
      TlsServerSession server(identity);
      MemoryClient client(version);
      ASSERT_TRUE(client.shake(server, cut));
      client.say("EHLO c.test\r\n");
      std::string plain;
      ASSERT_TRUE(server.receive(client.wire(), plain));
      EXPECT_EQ(plain, "EHLO c.test\r\n");
      ASSERT_TRUE(server.send("250 mx.test\r\n"));
      client.receive(server.output());
      EXPECT_EQ(client.heard(), "250 mx.test\r\n");
      EXPECT_EQ(server.description().substr(0, 7), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
      client.close();
      ASSERT_TRUE(server.receive(client.wire(), plain));
      EXPECT_TRUE(server.is_closed_by_peer());
    }
  }
}

TEST(TlsServer, refuses_older_versions_and_plain_text) {
  const auto identity = TlsIdentity::self_signed("mx.test").value();
  TlsServerSession server(identity);
  MemoryClient old(TLS1_1_VERSION);
  EXPECT_FALSE(old.shake(server, 1000));
  TlsServerSession other(identity);
  std::string plain;
  EXPECT_EQ(other.receive("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n", plain).error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(plain.empty());
}

TEST(TlsServer, refuses_pem_that_is_none) { EXPECT_EQ(TlsIdentity::from_pem("x", "y").error().kind, ErrorKind::invalid_input); }

TEST(Listener, accepts_and_names_the_client) {
  const int listener = listen_tcp("127.0.0.1", 0).value();
  EXPECT_NE(port_of(listener), 0);
  EXPECT_EQ(accept_tcp(listener).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(listen_tcp("localhost", 0).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(listen_tcp("127.0.0.1", port_of(listener)).error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace mailhold::net
