#include "formats/sealed/padding.h"

#include <bit>

namespace mailhold::sealed {

std::size_t padded_length(std::size_t length) {
  if (length < 2) return length;
  const int exponent = static_cast<int>(std::bit_width(length)) - 1;
  const int bits_kept = static_cast<int>(std::bit_width(static_cast<unsigned>(exponent)));
  const int bits_lost = exponent - bits_kept;
  const std::size_t mask = bits_lost > 0 ? (std::size_t{1} << bits_lost) - 1 : 0;
  return (length + mask) & ~mask;
}

}  // namespace mailhold::sealed
