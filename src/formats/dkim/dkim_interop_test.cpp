// What we sign, dkimpy verifies; what dkimpy signs, we verify.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "corpora.h"
#include "formats/dkim/dkim.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/rsa.h"

namespace mailhold::dkim {
namespace {

constexpr const char* python = "/usr/bin/python3";  // Debian's, which has python3-dkim

std::string run(const std::string& arguments) {
  std::string output;
  FILE* pipe =
      popen((std::string(python) + " '" MAILHOLD_SOURCE_DIR "/src/formats/dkim/dkimpy_peer.py' " + arguments).c_str(), "r");
  for (char block[4096]; const std::size_t count = fread(block, 1, sizeof block, pipe);) output.append(block, count);
  EXPECT_EQ(pclose(pipe), 0);
  return output;
}

bool peer_is_there() { return std::system((std::string(python) + " -c 'import dkim, nacl' 2>/dev/null").c_str()) == 0; }

class DkimInterop : public testing::TestWithParam<std::tuple<Algorithm, Canonical, Canonical>> {
 protected:
  void SetUp() override {
    SKIP_UNLESS(peer_is_there(), "python3-dkim and python3-nacl are not installed");
    folder_ = std::filesystem::temp_directory_path() / ("dkim-interop-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return "'" + (folder_ / name).string() + "'";
  }

  Algorithm algorithm() const { return std::get<0>(GetParam()); }
  Canonical header_form() const { return std::get<1>(GetParam()); }
  Canonical body_form() const { return std::get<2>(GetParam()); }

  std::filesystem::path folder_;
};

const std::string& pem() {
  static const std::string key = run("key");
  return key;
}
const std::string seed(32, 'k');

std::string record(Algorithm algorithm) {
  if (algorithm == Algorithm::rsa_sha256)
    return "v=DKIM1; k=rsa; p=" + to_base64(crypto::RsaPrivateKey::from_pem(pem())->public_key_der());
  return "v=DKIM1; k=ed25519; p=" + to_base64(crypto::Ed25519Signer::from_seed(seed)->public_key());
}

const std::string messages[] = {
    "From: Ann <ann@example.com>\r\nTo: Bo <bo@example.org>\r\nSubject: =?utf-8?q?a?=  \r\n\t b \r\nDate: Sun, 22 Nov 2026 "
    "10:00:00 +0000\r\n\r\n"
    "Hello \t Bo,\r\n\r\n .\r\nbye  \r\n\r\n \r\n\r\n",
    "From: ann@example.com\r\nReceived: x\r\nReceived: y\r\n\r\n",
    "FROM: ann@example.com\r\nsubject:\r\n\r\nno end of line",
};

TEST_P(DkimInterop, dkimpy_verifies_what_we_sign) {
  for (const std::string& message : messages) {
    SigningRequest request;
    request.domain = "example.com";
    request.selector = "sel";
    request.algorithm = algorithm();
    request.private_key = SecretText::copy_of(algorithm() == Algorithm::rsa_sha256 ? pem() : seed);
    request.header_form = header_form();
    request.body_form = body_form();
    const Result<std::string> field = sign(split_message(message), request);
    ASSERT_TRUE(field);
    EXPECT_EQ(run("verify " + file("message", *field + message) + " '" + record(algorithm()) + "'"), "pass\n") << *field;
  }
}

TEST_P(DkimInterop, we_verify_what_dkimpy_signs) {
  const auto name = [](Canonical form) { return form == Canonical::simple ? " simple" : " relaxed"; };
  for (const std::string& message : messages) {
    const bool is_rsa = algorithm() == Algorithm::rsa_sha256;
    const std::string key = file("key", is_rsa ? pem() : to_base64(seed));
    const std::string field = run("sign " + file("message", message) + " " + key + (is_rsa ? " rsa-sha256" : " ed25519-sha256") +
                                  name(header_form()) + name(body_form()));
    const dns::Lookup lookup = [&](const dns::Question&) {
      return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{record(algorithm()), 0}}};
    };
    const std::string text = field + message;
    const auto results = verify(split_message(text), lookup, {});
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].outcome, Outcome::pass) << results[0].problem << "\n" << field;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, DkimInterop,
                         testing::Combine(testing::Values(Algorithm::rsa_sha256, Algorithm::ed25519_sha256),
                                          testing::Values(Canonical::simple, Canonical::relaxed),
                                          testing::Values(Canonical::simple, Canonical::relaxed)));

}  // namespace
}  // namespace mailhold::dkim
