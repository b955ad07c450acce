#include "core/keys/shamir.h"

#include <gtest/gtest.h>

#include "core/keys/share_text.h"

namespace mailhold::keys {
namespace {

std::vector<ShamirShare> chosen(const std::vector<ShamirShare>& all, std::initializer_list<std::size_t> which) {
  std::vector<ShamirShare> shares;
  for (const std::size_t i : which) shares.push_back({all[i].index, all[i].value.duplicate()});
  return shares;
}

TEST(Shamir, any_threshold_of_the_shares_give_the_secret) {
  const SecretText secret = SecretText::random(32);
  const auto shares = split_secret(secret.reveal(), 3, 5).value();
  for (const auto& which : {std::initializer_list<std::size_t>{0, 1, 2}, {4, 2, 0}, {1, 3, 4}, {0, 1, 2, 3, 4}})
    EXPECT_EQ(combine_shares(chosen(shares, which)).value().reveal(), secret.reveal());
  EXPECT_NE(combine_shares(chosen(shares, {0, 1})).value().reveal(), secret.reveal());
}

TEST(Shamir, works_up_to_255_shares) {
  const SecretText secret = SecretText::random(32);
  const auto shares = split_secret(secret.reveal(), 255, 255).value();
  std::vector<ShamirShare> all;
  for (const ShamirShare& share : shares) all.push_back({share.index, share.value.duplicate()});
  EXPECT_EQ(combine_shares(all).value().reveal(), secret.reveal());
}

// Computed apart from this code, with log tables of generator 3: secret 0x42, f(x) = 0x42 + 0x17 x + 0xA9 x^2.
TEST(Shamir, agrees_with_shares_computed_elsewhere) {
  const auto share = [](std::uint8_t index, const char* value) { return ShamirShare{index, SecretText::copy_of({value, 1})}; };
  std::vector<ShamirShare> shares;
  shares.push_back(share(1, "\xfc"));
  shares.push_back(share(2, "\xfe"));
  shares.push_back(share(3, "\x40"));
  EXPECT_EQ(combine_shares(shares).value().reveal(), "\x42");
}

TEST(Shamir, refuses_what_cannot_be_shared_or_combined) {
  EXPECT_FALSE(split_secret("secret", 1, 5));
  EXPECT_FALSE(split_secret("secret", 4, 3));
  EXPECT_FALSE(split_secret("", 2, 3));
  const auto shares = split_secret("secret", 2, 3).value();
  EXPECT_FALSE(combine_shares(chosen(shares, {0})));
  EXPECT_FALSE(combine_shares(chosen(shares, {1, 1})));
  EXPECT_FALSE(combine_shares({}));
}

class ShareText : public testing::Test {
 protected:
  RecoveryShare share() const {
    return {region_tag_of("eu"), seal_tag_of(Id::random()), 3, 4, SecretText::copy_of("0123456789abcdef0123456789ABCDEF")};
  }
};

TEST_F(ShareText, comes_back_as_it_was_however_it_is_typed) {
  const RecoveryShare before = share();
  const std::string text(write_share(before).reveal());
  EXPECT_EQ(text.size(), 16U * 7 - 1);
  std::string typed = "  ";
  for (const char c : text)
    typed += c == '-'   ? std::string(" \r\n")
             : c == '0' ? "o"
             : c == '1' ? "l"
                        : std::string(1, static_cast<char>(std::tolower(c)));
  for (const std::string& each : {text, typed}) {
    const auto after = parse_share(each);
    ASSERT_TRUE(after) << after.error().detail;
    EXPECT_EQ(after->index, 4);
    EXPECT_EQ(after->threshold, 3);
    EXPECT_EQ(after->region_tag, before.region_tag);
    EXPECT_EQ(after->seal_tag, before.seal_tag);
    EXPECT_EQ(after->value.reveal(), before.value.reveal());
  }
}

TEST_F(ShareText, every_wrong_character_is_found_in_its_group) {
  const std::string text(write_share(share()).reveal());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-') continue;
    for (const char other : {'0', '7', 'A', 'Z', 'M'}) {
      if (text[i] == other) continue;
      std::string wrong = text;
      wrong[i] = other;
      const auto parsed = parse_share(wrong);
      ASSERT_FALSE(parsed) << i;
      EXPECT_EQ(parsed.error().kind, ErrorKind::invalid_input);
      EXPECT_EQ(parsed.error().detail, "group " + std::to_string(i / 7 + 1) + " of the share is mistyped");
    }
  }
}

TEST_F(ShareText, swapped_groups_and_missing_ones_are_refused) {
  const std::string text(write_share(share()).reveal());
  EXPECT_FALSE(parse_share(text.substr(7, 7) + text.substr(0, 7) + text.substr(14)));
  for (std::size_t length = 0; length < text.size(); ++length) EXPECT_FALSE(parse_share(text.substr(0, length))) << length;
  EXPECT_FALSE(parse_share(text + "-" + text));
  EXPECT_FALSE(parse_share(std::string(100'000, ' ')));
}

}  // namespace
}  // namespace mailhold::keys
