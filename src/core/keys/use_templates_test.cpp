#include "core/keys/use_templates.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <boost/json.hpp>

#include "base/bytes.h"
#include "base/text.h"
#include "formats/sasl/scram.h"
#include "platform/crypto/rsa.h"

namespace mailhold::keys {
namespace {

UseRequest use(std::string name, std::string fields = {}) {
  UseRequest request;
  request.template_name = std::move(name);
  request.fields = std::move(fields);
  return request;
}

// A fresh key for the tests: none lies in the sources.
std::string new_key() {
  EVP_PKEY* key = EVP_RSA_gen(2048);
  BIO* text = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(text, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text, &bytes);
  std::string pem(bytes, static_cast<std::size_t>(size));
  BIO_free(text);
  EVP_PKEY_free(key);
  return pem;
}
const std::string pem = new_key();

SecretText client_key() {
  return *encode_client_key({"client-1", "https://login.example.test/t/oauth2/v2.0/token", "scope/.default", std::string(32, 'c'),
                             SecretText::copy_of(pem)});
}

TEST(UseTemplates, a_password_is_given_as_plain_or_as_a_proof) {
  const SecretText secret = *encode_password("user", "pencil");
  ASSERT_TRUE(check_secret(secret.reveal()));
  EXPECT_EQ(answer_template(use("smtp_plain"), secret)->reveal(), std::string_view("\0user\0pencil", 12));
  const sasl::ScramQuestion question{"n=user,r=rOprNGfwEbeRWgbNEkqO",
                                     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"};
  const auto answer = answer_template(use("scram_sha_256", encode(question)), secret);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reveal().find("pencil"), std::string_view::npos);
  EXPECT_EQ(to_base64(sasl::parse_scram_answer(answer->reveal())->proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_EQ(answer_template(use("scram_sha_256", "x"), secret).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(ClientSigner::open(secret).error().kind, ErrorKind::denied);
  EXPECT_EQ(answer_template(use("client_assertion"), secret).error().kind, ErrorKind::denied);
}

TEST(UseTemplates, a_client_assertion_says_what_keyd_decides) {
  const SecretText secret = client_key();
  ASSERT_TRUE(check_secret(secret.reveal()));
  const auto signer = ClientSigner::open(secret);
  ASSERT_TRUE(signer);
  const auto answer = (*signer)->assertion(std::string(32, 'l'), 1'700'000'000'123);
  ASSERT_TRUE(answer);
  ByteReader reader(answer->reveal());
  EXPECT_EQ(reader.text(), "client-1");
  EXPECT_EQ(reader.text(), "https://login.example.test/t/oauth2/v2.0/token");
  EXPECT_EQ(reader.text(), "scope/.default");
  const auto parts = split(reader.text(), '.');
  ASSERT_EQ(parts.size(), 3U);
  const auto claims = boost::json::parse(*from_base64url(parts[1])).as_object();
  EXPECT_EQ(claims.at("exp").as_int64() - claims.at("iat").as_int64(), 300);
  EXPECT_EQ(claims.at("iat").as_int64(), 1'700'000'000);
  EXPECT_EQ(claims.at("jti").as_string(), to_base64url(std::string(32, 'l')));
  EXPECT_EQ(claims.at("aud").as_string(), "https://login.example.test/t/oauth2/v2.0/token");
  const auto header = boost::json::parse(*from_base64url(parts[0])).as_object();
  EXPECT_EQ(header.at("alg").as_string(), "PS256");
  EXPECT_EQ(header.at("x5t#S256").as_string(), to_base64url(std::string(32, 'c')));
  const auto key = *crypto::RsaPrivateKey::from_pem(pem);
  const std::string input = std::string(parts[0]) + "." + std::string(parts[1]);
  EXPECT_TRUE(crypto::verify_rsa_pss_sha256(key.public_key_der(), input, *from_base64url(parts[2]))->valid);
  EXPECT_FALSE(crypto::verify_rsa_sha256(key.public_key_der(), input, *from_base64url(parts[2]))->valid);
  EXPECT_FALSE(crypto::verify_rsa_pss_sha256(key.public_key_der(), input + "x", *from_base64url(parts[2]))->valid);
}

TEST(UseTemplates, a_client_key_is_never_given_out_as_a_password) {
  EXPECT_EQ(answer_template(use("smtp_plain"), client_key()).error().kind, ErrorKind::denied);
  EXPECT_EQ(answer_template(use("scram_sha_256"), client_key()).error().kind, ErrorKind::denied);
  EXPECT_FALSE(is_template("reveal"));
}

TEST(UseTemplates, what_is_no_secret_is_refused) {
  EXPECT_FALSE(check_secret("no separator"));
  EXPECT_FALSE(check_secret(client_key().reveal().substr(0, 200)));
  EXPECT_FALSE(encode_client_key({"client", "http://clear.example.test/", "", std::string(32, 'c'), SecretText::copy_of(pem)}));
  EXPECT_FALSE(encode_client_key({"client", "https://x/", "", "short", SecretText::copy_of(pem)}));
  EXPECT_FALSE(encode_client_key({"client", "https://x/", "", std::string(32, 'c'), SecretText::copy_of("no key")}));
}

}  // namespace
}  // namespace mailhold::keys
