// Shamir's secret sharing over GF(2^8) with the polynomial of AES (x^8+x^4+x^3+x+1), byte by byte. Any `threshold` of the
// shares give the secret back, fewer say nothing about it. No table look-up and no branch depends on a secret, so that
// neither time nor cache tells any of it. Whether a share is genuine is not known here: see share_text.h and root_seals.h.
//
// A. Shamir, "How to share a secret", Communications of the ACM 22 (11), 1979.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::keys {

struct ShamirShare {
  std::uint8_t index = 0;  // 1 to 255: where the polynomials were evaluated
  SecretText value;        // as long as the secret
};

inline constexpr std::uint8_t shamir_threshold_min = 2;  // one share alone would be the secret

// `count` shares with the indexes 1 to count. invalid_input unless 2 <= threshold <= count and the secret is not empty.
Result<std::vector<ShamirShare>> split_secret(std::string_view secret, std::uint8_t threshold, std::uint8_t count);

// The secret that exactly these shares stand for; too few or wrong ones give other bytes, not an error. invalid_input for
// fewer than two, an index that is 0 or there twice, or values of different lengths.
Result<SecretText> combine_shares(const std::vector<ShamirShare>& shares);

}  // namespace mailhold::keys
