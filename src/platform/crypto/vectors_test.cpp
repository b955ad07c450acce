// T7, the part below formats/sealed: the public collections of test vectors for what is used here.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/bytes.h"
#include "base/text.h"
#include "corpora.h"
#include "platform/crypto/aes_gcm.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/rsa.h"
#include "platform/crypto/x25519.h"

namespace mailhold::crypto {
namespace {

namespace json = boost::json;

std::string bytes(const json::value& object, const char* name) {
  return from_hex(std::string_view(object.at(name).as_string())).value();
}

struct Count {
  std::size_t vectors = 0;
  std::size_t skipped = 0;
};

// Calls `check(group, test, valid)` for each test of a Wycheproof file; "acceptable" ones are skipped by the caller.
template <class Check>
Count each_of(const std::filesystem::path& file, Check check) {
  Count count;
  const std::string text = read_whole_file(file);
  const json::value root = json::parse(text);
  for (const json::value& group : root.at("testGroups").as_array()) {
    for (const json::value& test : group.at("tests").as_array()) {
      if (check(group, test, test.at("result").as_string() == "valid")) {
        ++count.vectors;
      } else {
        ++count.skipped;
      }
    }
  }
  return count;
}

void report(const char* name, const Count& count) {
  std::printf("vectors %s checked=%zu not-ours=%zu\n", name, count.vectors, count.skipped);
  EXPECT_GT(count.vectors, 0u);
}

bool opens(std::string_view key, std::string_view nonce, std::string_view associated, const std::string& sealed,
           std::string& plaintext) {
  AesGcm cipher(key);
  plaintext.assign(sealed.size() - AesGcm::tag_size, 'x');
  return cipher.open(nonce, sealed, plaintext.data(), associated);
}

TEST(Vectors, T7_wycheproof_aes_256_gcm) {
  CORPUS_OR_RETURN(folder, "wycheproof");
  report("wycheproof/aes_gcm",
         each_of(folder / "aes_gcm_test.json", [](const json::value& group, const json::value& test, bool valid) {
           if (group.at("keySize").as_int64() != 256 || group.at("ivSize").as_int64() != 96) return false;
           const std::string sealed = bytes(test, "ct") + bytes(test, "tag");
           std::string plaintext;
           const bool opened = opens(bytes(test, "key"), bytes(test, "iv"), bytes(test, "aad"), sealed, plaintext);
           EXPECT_EQ(opened, valid) << test.at("tcId");
           if (!valid) return true;
           EXPECT_EQ(plaintext, bytes(test, "msg")) << test.at("tcId");
           AesGcm cipher(bytes(test, "key"));
           std::string again(sealed.size(), '\0');
           cipher.seal(bytes(test, "iv"), plaintext, again.data(), bytes(test, "aad"));
           EXPECT_EQ(again, sealed) << test.at("tcId");
           return true;
         }));
}

TEST(Vectors, T7_nist_cavp_aes_256_gcm) {
  CORPUS_OR_RETURN(folder, "nist-cavp-gcm");
  for (const char* name : {"gcmDecrypt256.rsp", "gcmEncryptExtIV256.rsp"}) {
    Count count;
    std::map<std::string, std::string> fields;
    const auto check = [&] {
      if (fields["IV"].size() != AesGcm::nonce_size || fields["Tag"].size() != AesGcm::tag_size) {
        ++count.skipped;
        return;
      }
      ++count.vectors;
      const bool valid = fields.count("FAIL") == 0;
      std::string plaintext;
      const bool opened = opens(fields["Key"], fields["IV"], fields["AAD"], fields["CT"] + fields["Tag"], plaintext);
      EXPECT_EQ(opened, valid) << "Count " << count.vectors;
      if (valid) {
        EXPECT_EQ(plaintext, fields["PT"]);
      }
    };
    const std::string text = read_whole_file(folder / name);
    for (const std::string_view raw : split(text, '\n')) {
      const std::string_view line = trim(raw);
      if (line.starts_with("Count")) fields.clear();
      if (line == "FAIL") fields["FAIL"] = "";
      const std::size_t equals = line.find('=');
      if (equals != std::string_view::npos && !line.starts_with("[") && !line.starts_with("Count")) {
        fields[std::string(trim(line.substr(0, equals)))] = from_hex(trim(line.substr(equals + 1))).value_or("");
      }
      if (line.empty() && fields.contains("Key")) {
        check();
        fields.clear();
      }
    }
    report((std::string("nist-cavp-gcm/") + name).c_str(), count);
  }
}

TEST(Vectors, T7_wycheproof_hkdf_sha512) {
  CORPUS_OR_RETURN(folder, "wycheproof");
  report("wycheproof/hkdf_sha512",
         each_of(folder / "hkdf_sha512_test.json", [](const json::value&, const json::value& test, bool valid) {
           if (!valid) return false;  // sizes beyond 255 blocks: a caller's bug here, not an input
           const std::size_t size = static_cast<std::size_t>(test.at("size").as_int64());
           const std::string okm = bytes(test, "okm");
           EXPECT_EQ(hkdf_sha512(bytes(test, "ikm"), bytes(test, "salt"), bytes(test, "info"), size).reveal(), okm);
           const std::string extracted = hmac_sha512(bytes(test, "salt"), bytes(test, "ikm"));
           EXPECT_EQ(hkdf_expand_sha512(extracted, bytes(test, "info"), size).reveal(), okm);
           return true;
         }));
}

TEST(Vectors, T7_wycheproof_hmac) {
  CORPUS_OR_RETURN(folder, "wycheproof");
  const auto check = [](auto mac) {
    return [mac](const json::value& group, const json::value& test, bool valid) {
      const std::size_t size = static_cast<std::size_t>(group.at("tagSize").as_int64()) / 8;
      EXPECT_EQ(mac(bytes(test, "key"), bytes(test, "msg")).substr(0, size) == bytes(test, "tag"), valid) << test.at("tcId");
      return true;
    };
  };
  report("wycheproof/hmac_sha256",
         each_of(folder / "hmac_sha256_test.json", check([](auto&& key, auto&& text) { return hmac_sha256(key, text); })));
  report("wycheproof/hmac_sha512",
         each_of(folder / "hmac_sha512_test.json", check([](auto&& key, auto&& text) { return hmac_sha512(key, text); })));
}

TEST(Vectors, T7_wycheproof_ed25519) {
  CORPUS_OR_RETURN(folder, "wycheproof");
  report("wycheproof/ed25519",
         each_of(folder / "ed25519_test.json", [](const json::value& group, const json::value& test, bool valid) {
           const auto key = ed25519_public_key_from(bytes(group, "publicKeyDer"));
           EXPECT_TRUE(key);
           EXPECT_EQ(key && ed25519_verify(*key, bytes(test, "msg"), bytes(test, "sig")), valid) << test.at("tcId");
           return true;
         }));
}

TEST(Vectors, T7_wycheproof_x25519) {
  CORPUS_OR_RETURN(folder, "wycheproof");
  report("wycheproof/x25519", each_of(folder / "x25519_test.json", [](const json::value&, const json::value& test, bool) {
           const auto shared = x25519_shared_secret(bytes(test, "private"), bytes(test, "public"));
           const std::string expected = bytes(test, "shared");
           if (expected == std::string(32, '\0')) {
             EXPECT_FALSE(shared) << test.at("tcId");  // a point of small order: we refuse it
           } else {
             EXPECT_TRUE(shared && shared->reveal() == expected) << test.at("tcId");
           }
           return true;
         }));
}

TEST(Vectors, T7_wycheproof_rsa_sha256) {
  CORPUS_OR_RETURN(folder, "wycheproof");
  report(
      "wycheproof/rsa_signature_2048_sha256",
      each_of(folder / "rsa_signature_2048_sha256_test.json", [](const json::value& group, const json::value& test, bool valid) {
        if (test.at("result").as_string() == "acceptable") return false;
        for (const char* form : {"publicKeyDer", "publicKeyAsn"}) {
          const auto verdict = verify_rsa_sha256(bytes(group, form), bytes(test, "msg"), bytes(test, "sig"));
          EXPECT_TRUE(verdict) << form;
          if (!verdict) continue;
          EXPECT_EQ(verdict->valid, valid) << test.at("tcId");
          EXPECT_EQ(verdict->bits, 2048u);
        }
        return true;
      }));
}

// The RSA key of the cookbook, as RsaPrivateKey::from_components takes it.
std::string components_of(const json::value& jwk) {
  ByteWriter writer;
  for (const char* name : {"n", "e", "d", "p", "q", "dp", "dq", "qi"}) {
    const std::string number = from_base64url(std::string_view(jwk.at(name).as_string())).value();
    writer.u16(static_cast<std::uint16_t>(number.size())).raw(number);
  }
  return writer.take();
}

// RFC 7520 sections 4.1 and 4.2: what a JWT is signed with here is RS256 or PS256, and nothing else passes for it.
TEST(Vectors, T6_jose_cookbook_rsa_signatures) {
  CORPUS_OR_RETURN(folder, "jose-cookbook");
  const json::value pkcs1 = json::parse(read_whole_file(folder / "jws/4_1.rsa_v15_signature.json"));
  const json::value pss = json::parse(read_whole_file(folder / "jws/4_2.rsa-pss_signature.json"));
  ASSERT_EQ(pkcs1.at("input").at("alg").as_string(), "RS256");
  ASSERT_EQ(pss.at("input").at("alg").as_string(), "PS384");
  const auto key = RsaPrivateKey::from_components(components_of(pkcs1.at("input").at("key")));
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(key->bits(), 2048u);
  const std::string public_key = key->public_key_der();
  const std::string input(pkcs1.at("signing").at("sig-input").as_string());
  const std::string signature = from_base64url(std::string_view(pkcs1.at("signing").at("sig").as_string())).value();
  EXPECT_EQ(*key->sign_sha256(input), signature);
  EXPECT_TRUE(verify_rsa_sha256(public_key, input, signature)->valid);
  EXPECT_FALSE(verify_rsa_pss_sha256(public_key, input, signature)->valid) << "RS256 passed for PS256";
  const std::string ours = *key->sign_pss_sha256(input);
  EXPECT_TRUE(verify_rsa_pss_sha256(public_key, input, ours)->valid);
  EXPECT_FALSE(verify_rsa_sha256(public_key, input, ours)->valid) << "PS256 passed for RS256";
  const std::string other(pss.at("signing").at("sig-input").as_string());
  const std::string ps384 = from_base64url(std::string_view(pss.at("signing").at("sig").as_string())).value();
  EXPECT_FALSE(verify_rsa_pss_sha256(public_key, other, ps384)->valid) << "PS384 passed for PS256";
  EXPECT_FALSE(verify_rsa_sha256(public_key, other, ps384)->valid) << "PS384 passed for RS256";
}

}  // namespace
}  // namespace mailhold::crypto
