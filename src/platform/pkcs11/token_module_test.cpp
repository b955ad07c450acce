// Against SoftHSM 2, a PKCS #11 token in software.
#include "platform/pkcs11/token_module.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mailhold::pkcs11 {
namespace {

constexpr const char* softhsm = "/usr/lib/softhsm/libsofthsm2.so";

class TokenModuleTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = testing::TempDir() + "/token-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ / "tokens");
    std::ofstream(folder_ / "softhsm2.conf")
        << "directories.tokendir = " << (folder_ / "tokens").string() << "\nobjectstore.backend = file\nlog.level = ERROR\n";
    ::setenv("SOFTHSM2_CONF", (folder_ / "softhsm2.conf").c_str(), 1);
    for (const std::string label : {"vault", "other"}) {
      ASSERT_EQ(
          std::system(
              ("softhsm2-util --init-token --free --label " + label + " --pin 123456 --so-pin 12345678 >/dev/null").c_str()),
          0);
    }
    module_ = TokenModule::load(softhsm).value();
  }
  static void TearDownTestSuite() {
    module_.reset();
    std::filesystem::remove_all(folder_);
  }
  static std::filesystem::path folder_;
  static std::unique_ptr<TokenModule> module_;
  const SecretText key_ = SecretText::random(32);
};
std::filesystem::path TokenModuleTest::folder_;
std::unique_ptr<TokenModule> TokenModuleTest::module_;

TEST_F(TokenModuleTest, gives_back_what_it_wrapped) {
  const std::string wrapped = module_->wrap("vault", "123456", key_.reveal()).value();
  EXPECT_EQ(wrapped.find(key_.reveal()), std::string::npos);
  EXPECT_EQ(module_->unwrap("vault", "123456", wrapped).value().reveal(), key_.reveal());
  EXPECT_NE(module_->wrap("vault", "123456", key_.reveal()).value(), wrapped);
}

TEST_F(TokenModuleTest, a_wrong_pin_is_denied_and_a_lost_token_is_not_found) {
  const std::string wrapped = module_->wrap("vault", "123456", key_.reveal()).value();
  for (const char* pin : {"654321", "", "1", "a pin that is far too long for any token"}) {
    const auto outcome = module_->unwrap("vault", pin, wrapped);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::denied);
    EXPECT_EQ(outcome.error().detail, "wrong PIN for token vault");
  }
  EXPECT_EQ(module_->unwrap("lost", "123456", wrapped).error().kind, ErrorKind::not_found);
  EXPECT_EQ(module_->unwrap("lost", "123456", wrapped).error().detail, "token lost is not there");
  EXPECT_TRUE(module_->unwrap("vault", "123456", wrapped));
}

TEST_F(TokenModuleTest, wrapped_bytes_that_were_changed_or_are_another_tokens_are_corrupt) {
  const std::string wrapped = module_->wrap("vault", "123456", key_.reveal()).value();
  ASSERT_TRUE(module_->wrap("other", "123456", key_.reveal()));
  EXPECT_EQ(module_->unwrap("other", "123456", wrapped).error().kind, ErrorKind::corrupt);
  for (std::size_t i = 0; i < wrapped.size(); i += 7) {
    std::string changed = wrapped;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(module_->unwrap("vault", "123456", changed).error().kind, ErrorKind::corrupt) << i;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{27}, wrapped.size() - 1})
    EXPECT_EQ(module_->unwrap("vault", "123456", wrapped.substr(0, size)).error().kind, ErrorKind::corrupt) << size;
}

TEST(TokenModule, a_file_that_is_no_module_is_refused) {
  EXPECT_EQ(TokenModule::load("/nonexistent.so").error().kind, ErrorKind::not_found);
  EXPECT_EQ(TokenModule::load("libz.so.1").error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace mailhold::pkcs11
