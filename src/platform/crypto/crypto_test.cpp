// Known answers that need no collection from outside; the large collections are in vectors_test.cpp.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <thread>

#include "base/random.h"
#include "base/text.h"
#include "platform/crypto/aes_gcm.h"
#include "platform/crypto/argon2id.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/rsa.h"
#include "platform/crypto/x25519.h"

namespace mailhold::crypto {
namespace {

std::string hex(std::string_view digits) { return from_hex(digits).value(); }

TEST(Hash, gives_the_digests_of_the_standard) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha512("abc")),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9a"
            "c94fa54ca49f");
}

TEST(Hash, of_a_stream_is_the_hash_of_the_whole) {
  Sha256 hash;
  hash.update("a");
  hash.update("");
  hash.update("bc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
  hash.update("again");
  EXPECT_EQ(hash.finish(), sha256("again"));
}

TEST(Mac, gives_the_first_answer_of_rfc_4231) {
  const std::string key(20, '\x0b');
  EXPECT_EQ(to_hex(hmac_sha256(key, "Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha512(key, "Hi There")),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e69"
            "6c203a126854");
}

// GCM without a plaintext; the first answer is test case 1 of the specification of GCM.
TEST(Gmac, is_the_tag_of_what_gcm_only_authenticates) {
  EXPECT_EQ(to_hex(gmac_aes128(std::string(16, '\0'), "")), "58e2fccefa7e3061367f1d57a4e7455a");
  for (const std::size_t size : {1u, 16u, 1000u, 100'000u}) {
    const std::string key = random_bytes(gmac_key_size), message = random_bytes(size);
    const auto bytes = [](const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); };
    const std::string nonce(12, '\0');
    std::string tag(16, '\0');
    int count = 0;
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    ASSERT_EQ(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, bytes(key), bytes(nonce)), 1);
    ASSERT_EQ(EVP_EncryptUpdate(context, nullptr, &count, bytes(message), static_cast<int>(size)), 1);
    ASSERT_EQ(EVP_EncryptFinal_ex(context, nullptr, &count), 1);
    ASSERT_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag.data()), 1);
    EVP_CIPHER_CTX_free(context);
    EXPECT_EQ(gmac_aes128(key, message), tag) << size;
  }
}

TEST(AesGcm, opens_what_it_sealed_and_nothing_else) {
  const std::string key = random_bytes(AesGcm::key_size);
  const std::string nonce = random_bytes(AesGcm::nonce_size);
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 1000u, 16384u}) {
    const std::string plaintext = random_bytes(size);
    std::string sealed(size + AesGcm::tag_size, '\0');
    std::string opened(size, 'x');
    AesGcm cipher(key);
    cipher.seal(nonce, plaintext, sealed.data(), "header");
    ASSERT_TRUE(cipher.open(nonce, sealed, opened.data(), "header"));
    EXPECT_EQ(opened, plaintext);
    EXPECT_FALSE(cipher.open(nonce, sealed, opened.data(), "other"));
    EXPECT_EQ(opened, std::string(size, '\0'));  // nothing unauthenticated is left behind
    sealed[size / 2] = static_cast<char>(sealed[size / 2] ^ 1);
    EXPECT_FALSE(cipher.open(nonce, sealed, opened.data(), "header"));
  }
  AesGcm cipher(key);
  char out[16];
  EXPECT_FALSE(cipher.open(nonce, "short", out));
}

TEST(Ed25519, signs_as_rfc_8032_says) {
  const auto signer = Ed25519Signer::from_seed(hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  ASSERT_TRUE(signer);
  EXPECT_EQ(to_hex(signer->public_key()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const std::string signature = signer->sign("\x72");
  EXPECT_EQ(to_hex(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d"
            "291612bb0c00");
  EXPECT_TRUE(ed25519_verify(signer->public_key(), "\x72", signature));
  EXPECT_FALSE(ed25519_verify(signer->public_key(), "\x73", signature));
  EXPECT_FALSE(ed25519_verify("short", "\x72", signature));
  EXPECT_FALSE(ed25519_verify(signer->public_key(), "\x72", signature.substr(1)));
  EXPECT_FALSE(Ed25519Signer::from_seed("short"));
}

TEST(Ed25519, one_signer_serves_many_threads) {
  const auto signer = Ed25519Signer::from_seed(random_bytes(32));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const std::string message = random_bytes(100);
        if (!ed25519_verify(signer->public_key(), message, signer->sign(message))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Ed25519, reads_a_key_in_both_forms_that_dns_has) {
  const std::string raw = random_bytes(32);
  EXPECT_EQ(ed25519_public_key_from(raw).value(), raw);
  EXPECT_EQ(ed25519_public_key_from(hex("302a300506032b6570032100") + raw).value(), raw);
  EXPECT_FALSE(ed25519_public_key_from(hex("302a300506032b6571032100") + raw));
  EXPECT_FALSE(ed25519_public_key_from(""));
}

TEST(X25519, both_sides_find_the_same_secret) {
  const X25519KeyPair ann = x25519_generate();
  const X25519KeyPair ben = x25519_generate();
  EXPECT_EQ(x25519_shared_secret(ann.private_key.reveal(), ben.public_key).value().reveal(),
            x25519_shared_secret(ben.private_key.reveal(), ann.public_key).value().reveal());
  EXPECT_EQ(x25519_shared_secret(ann.private_key.reveal(), std::string(32, '\0')).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(x25519_shared_secret(ann.private_key.reveal(), "short").error().kind, ErrorKind::invalid_input);
}

TEST(Rsa, verifies_what_it_signed_and_reports_the_size) {
  const auto key = RsaPrivateKey::generate(1024);
  ASSERT_TRUE(key);
  const std::string signature = key->sign_sha256("data").value();
  const auto verdict = verify_rsa_sha256(key->public_key_der(), "data", signature);
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->valid);
  EXPECT_EQ(verdict->bits, 1024u);
  EXPECT_FALSE(verify_rsa_sha256(key->public_key_der(), "date", signature)->valid);
  EXPECT_FALSE(verify_rsa_sha256(key->public_key_der(), "data", "")->valid);
  EXPECT_EQ(verify_rsa_sha256("no key", "data", signature).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(verify_rsa_sha256(key->public_key_der() + "x", "data", signature).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(RsaPrivateKey::from_pem("-----BEGIN nothing").error().kind, ErrorKind::invalid_input);
  EXPECT_FALSE(RsaPrivateKey::generate(512));
}

// More keys than are kept parsed, each used again after others: a signature counts under its own key only.
TEST(Rsa, tells_many_keys_apart_whatever_came_before) {
  std::vector<RsaPrivateKey> keys;
  std::vector<std::string> signatures;
  for (int i = 0; i < 40; ++i) {
    keys.push_back(RsaPrivateKey::generate(1024).value());
    signatures.push_back(keys.back().sign_sha256("data").value());
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::size_t other = (i + 1) % keys.size();
      EXPECT_TRUE(verify_rsa_sha256(keys[i].public_key_der(), "data", signatures[i])->valid);
      EXPECT_FALSE(verify_rsa_sha256(keys[i].public_key_der(), "data", signatures[other])->valid);
    }
  }
}

// Computed with OpenSSL 3.2 or later: openssl kdf -keylen 32 -kdfopt pass:password -kdfopt salt:somesaltsomesalt
// -kdfopt iter:2 -kdfopt lanes:1 -kdfopt memcost:65536 ARGON2ID
TEST(Argon2id, gives_the_key_that_the_reference_gives) {
  const auto key = argon2id("password", "somesaltsomesalt", {.memory_bytes = 64 << 20, .passes = 2});
  ASSERT_TRUE(key);
  EXPECT_EQ(to_hex(key->reveal()), "fc33b78139231d34b71626bd6245c1d72efa190ad605c3d8166a72adcedfa2c2");
  EXPECT_NE(key->reveal(), argon2id("passwore", "somesaltsomesalt", {.memory_bytes = 64 << 20, .passes = 2})->reveal());
}

TEST(Argon2id, refuses_impossible_costs) {
  EXPECT_EQ(argon2id("p", "short", {}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(argon2id("p", "somesaltsomesalt", {.memory_bytes = 1024, .passes = 1}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(argon2id("p", "somesaltsomesalt", {.memory_bytes = 5ull << 30, .passes = 1}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(argon2id("p", "somesaltsomesalt", {.memory_bytes = 64 << 10, .passes = 0}).error().kind, ErrorKind::invalid_input);
}

}  // namespace
}  // namespace mailhold::crypto
