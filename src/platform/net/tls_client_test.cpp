#include "platform/net/tls_client.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "platform/net/tls_server.h"

namespace mailhold::net {
namespace {

using namespace std::chrono_literals;
Deadline soon() { return Deadline::after(10s); }

struct Pair {
  std::string certificate, key;
};

std::string taken(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// A self-signed certificate for that name; it can be its own trust anchor.
Pair certificate_for(const std::string& alternative_name, long seconds = 3600) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name.c_str());
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate, key, EVP_sha256());
  BIO* certificate_out = BIO_new(BIO_s_mem());
  BIO* key_out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_out, certificate);
  PEM_write_bio_PrivateKey(key_out, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {taken(certificate_out), taken(key_out)};
}

// Echoes what it hears over TLS until the client goes.
class EchoServer {
 public:
  explicit EchoServer(const Pair& pair) : identity_(*TlsIdentity::from_pem(pair.certificate, pair.key)) {
    (void)!::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_);
    thread_ = std::jthread([this] {
      TlsServerSession session(identity_);
      char buffer[16384];
      for (ssize_t count; (count = ::read(ends_[1], buffer, sizeof buffer)) > 0;) {
        std::string plain;
        const bool went_well = static_cast<bool>(session.receive({buffer, static_cast<std::size_t>(count)}, plain));
        if (went_well && !plain.empty()) EXPECT_TRUE(session.send(plain));
        (void)!::send(ends_[1], session.output().data(), session.output().size(), MSG_NOSIGNAL);
        session.output().clear();
        if (!went_well || cuts_off) break;
      }
      ::close(ends_[1]);
    });
  }
  std::unique_ptr<Stream> client_end() { return stream_over(ends_[0]); }
  bool cuts_off = false;

 private:
  std::shared_ptr<const TlsIdentity> identity_;
  int ends_[2] = {-1, -1};
  std::jthread thread_;
};

class TlsClientTest : public testing::Test {
 protected:
  std::string ca_file(const Pair& pair) {
    const std::string path = testing::TempDir() + "/ca-" + std::to_string(::getpid()) + ".pem";
    std::ofstream(path) << pair.certificate;
    return path;
  }
  Result<std::unique_ptr<Stream>> start(const Pair& server, TlsPeer peer) {
    servers.push_back(std::make_unique<EchoServer>(server));
    const auto client = TlsClient::create(std::move(peer));
    if (!client) return client.error();
    return (*client)->start(servers.back()->client_end(), soon());
  }
  std::vector<std::unique_ptr<EchoServer>> servers;
};

TEST_F(TlsClientTest, speaks_to_a_pinned_key_whatever_its_name) {
  const Pair pair = certificate_for("DNS:elsewhere.example");
  const std::string pin = *pin_of_certificate(pair.certificate);
  const auto stream = start(pair, {.name = "mx.example", .ca_file = {}, .pins = {std::string(64, '0'), pin}});
  ASSERT_TRUE(stream);
  ASSERT_TRUE((*stream)->write_all("hello", soon()));
  EXPECT_EQ(*(*stream)->read_some(soon()), "hello");
  const std::string large(300'000, 'x');
  ASSERT_TRUE((*stream)->write_all(std::string_view(large).substr(0, 16'000), soon()));
  std::string back;
  while (back.size() < 16'000) back += *(*stream)->read_some(soon());
  EXPECT_EQ(back, large.substr(0, 16'000));
}

TEST_F(TlsClientTest, a_wrong_pin_is_denied) {
  const Pair pair = certificate_for("DNS:mx.example");
  EXPECT_EQ(start(pair, {.name = "mx.example", .ca_file = {}, .pins = {std::string(64, 'a')}}).error().kind, ErrorKind::denied);
}

TEST_F(TlsClientTest, the_chain_and_the_name_must_hold) {
  const Pair pair = certificate_for("DNS:mx.example, IP:127.0.0.1");
  const std::string anchors = ca_file(pair);
  EXPECT_TRUE(start(pair, {.name = "mx.example", .ca_file = anchors, .pins = {}}));
  EXPECT_TRUE(start(pair, {.name = "127.0.0.1", .ca_file = anchors, .pins = {}}));
  EXPECT_EQ(start(pair, {.name = "other.example", .ca_file = anchors, .pins = {}}).error().kind, ErrorKind::denied);
  EXPECT_EQ(start(pair, {.name = "127.0.0.2", .ca_file = anchors, .pins = {}}).error().kind, ErrorKind::denied);
  EXPECT_EQ(start(certificate_for("DNS:mx.example"), {.name = "mx.example", .ca_file = anchors, .pins = {}}).error().kind,
            ErrorKind::denied);
  const Pair expired = certificate_for("DNS:mx.example", -60);
  EXPECT_EQ(start(expired, {.name = "mx.example", .ca_file = ca_file(expired), .pins = {}}).error().kind, ErrorKind::denied);
  EXPECT_TRUE(start(expired, {.name = "mx.example", .ca_file = {}, .pins = {}}));  // opportunistic: nothing is verified
}

// For the whole process and for good, so in one of its own.
TEST_F(TlsClientTest, the_system_s_anchors_are_those_that_were_kept) {
  const Pair pair = certificate_for("DNS:mx.example");
  const std::string anchors = ca_file(pair);
  EXPECT_EXIT(
      {
        EXPECT_TRUE(keep_system_anchors(anchors));
        std::filesystem::remove(anchors);  // nothing is read later
        for (int time = 0; time < 2; ++time) EXPECT_TRUE(start(pair, {.name = "mx.example", .ca_file = "system", .pins = {}}));
        EXPECT_EQ(start(pair, {.name = "other.example", .ca_file = "system", .pins = {}}).error().kind, ErrorKind::denied);
        const Pair other = certificate_for("DNS:mx.example");
        EXPECT_EQ(start(other, {.name = "mx.example", .ca_file = "system", .pins = {}}).error().kind, ErrorKind::denied);
        EXPECT_TRUE(start(other, {.name = "mx.example", .ca_file = other.certificate, .pins = {}}));
        std::_Exit(HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(TlsClientTest, without_the_system_s_anchors_no_client_is_made_for_them) {
  EXPECT_EXIT(
      {
        EXPECT_EQ(keep_system_anchors("/no/such/file").error().kind, ErrorKind::unavailable);
        EXPECT_EQ(TlsClient::create({.name = "mx.example", .ca_file = "system", .pins = {}}).error().kind,
                  ErrorKind::invalid_input);
        std::_Exit(HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(TlsClientTest, what_is_no_tls_is_unavailable) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  std::jthread server([&] {
    (void)!::write(ends[1], "220 no tls here\r\n", 17);
    char byte;
    (void)!::read(ends[1], &byte, 1);
    ::close(ends[1]);
  });
  const auto client = *TlsClient::create({});
  EXPECT_EQ(client->start(stream_over(ends[0]), soon()).error().kind, ErrorKind::unavailable);
}

TEST_F(TlsClientTest, a_silent_server_times_out) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const auto client = *TlsClient::create({});
  EXPECT_EQ(client->start(stream_over(ends[0]), Deadline::after(50ms)).error().kind, ErrorKind::timed_out);
  ::close(ends[1]);
}

TEST_F(TlsClientTest, a_connection_cut_off_is_an_error_not_an_end) {
  const Pair pair = certificate_for("DNS:mx.example");
  auto stream = start(pair, {});
  ASSERT_TRUE(stream);
  servers.back()->cuts_off = true;
  ASSERT_TRUE((*stream)->write_all("last words", soon()));
  Result<std::string> heard = (*stream)->read_some(soon());
  while (heard && !heard->empty()) heard = (*stream)->read_some(soon());
  EXPECT_FALSE(heard);
}

TEST_F(TlsClientTest, settings_that_cannot_be_are_refused) {
  EXPECT_EQ(TlsClient::create({.name = "x", .ca_file = {}, .pins = {"abc"}}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(TlsClient::create({.name = "x", .ca_file = "/no/such/file", .pins = {}}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(TlsClient::create({.name = "", .ca_file = "system", .pins = {}}).error().kind, ErrorKind::invalid_input);
  EXPECT_FALSE(pin_of_certificate("nonsense"));
}

}  // namespace
}  // namespace mailhold::net
