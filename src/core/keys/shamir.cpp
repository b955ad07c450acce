#include "core/keys/shamir.h"

#include <set>

namespace mailhold::keys {
namespace {

using Element = std::uint8_t;

// Russian peasant multiplication: eight steps whatever the factors are.
Element multiply(Element a, Element b) {
  unsigned left = a;
  unsigned right = b;
  unsigned product = 0;
  for (int bit = 0; bit < 8; ++bit) {
    product ^= left & (0U - (right & 1U));
    const unsigned carry = 0U - (left >> 7U & 1U);
    left = (left << 1U & 0xffU) ^ (carry & 0x1bU);
    right >>= 1U;
  }
  return static_cast<Element>(product);
}

// a^254, which is 1/a: the group of the field has 255 elements.
Element inverse(Element a) {
  Element result = 1;
  for (int step = 0; step < 7; ++step) {  // 254 = 0b11111110
    a = multiply(a, a);
    result = multiply(result, a);
  }
  return result;
}

Element byte_at(std::string_view bytes, std::size_t position) { return static_cast<Element>(bytes[position]); }

// Horner's rule; `coefficients` are those of x^1 and up, one secret-sized block each.
Element evaluate(Element constant, std::string_view coefficients, std::size_t position, std::size_t size, Element x) {
  Element value = 0;
  for (std::size_t block = coefficients.size() / size; block-- > 0;)
    value = multiply(value, x) ^ byte_at(coefficients, block * size + position);
  return multiply(value, x) ^ constant;
}

}  // namespace

Result<std::vector<ShamirShare>> split_secret(std::string_view secret, std::uint8_t threshold, std::uint8_t count) {
  if (threshold < shamir_threshold_min || threshold > count || secret.empty())
    return Error{ErrorKind::invalid_input, "shares need a threshold of at least 2 and at least as many shares"};
  const SecretText coefficients = SecretText::random(secret.size() * (threshold - 1U));
  std::vector<ShamirShare> shares;
  for (unsigned index = 1; index <= count; ++index) {
    ShamirShare share{static_cast<std::uint8_t>(index), SecretText::zeroed(secret.size())};
    for (std::size_t i = 0; i < secret.size(); ++i) {
      share.value.data()[i] =
          static_cast<char>(evaluate(byte_at(secret, i), coefficients.reveal(), i, secret.size(), share.index));
    }
    shares.push_back(std::move(share));
  }
  return shares;
}

Result<SecretText> combine_shares(const std::vector<ShamirShare>& shares) {
  std::set<std::uint8_t> indexes;
  for (const ShamirShare& share : shares) {
    if (share.index == 0 || !indexes.insert(share.index).second || share.value.size() != shares.front().value.size())
      return Error{ErrorKind::invalid_input, "these shares do not belong together"};
  }
  if (indexes.size() < shamir_threshold_min) return Error{ErrorKind::invalid_input, "one share is not enough"};
  SecretText secret = SecretText::zeroed(shares.front().value.size());
  for (const ShamirShare& share : shares) {
    // Lagrange's factor at x = 0: the product of x_j / (x_j - x_i); minus is exclusive or.
    Element factor = 1;
    for (const ShamirShare& other : shares) {
      if (other.index == share.index) continue;
      factor = multiply(factor, multiply(other.index, inverse(static_cast<Element>(other.index ^ share.index))));
    }
    for (std::size_t i = 0; i < secret.size(); ++i)
      secret.data()[i] = static_cast<char>(byte_at(secret.reveal(), i) ^ multiply(factor, byte_at(share.value.reveal(), i)));
  }
  return secret;
}

}  // namespace mailhold::keys
