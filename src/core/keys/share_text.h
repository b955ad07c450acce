// A recovery share as people keep and type it: sixteen groups of six characters. The last character of each group checks
// the group, so that a mistake is found where it was made; a checksum covers all. The share names its region, its set and
// its number, so that the one share that is wrong among several can be named.
//
// Design: docs/formats/recovery-share.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::keys {

struct RecoveryShare {
  std::string region_tag{};  // 4 bytes: which region
  std::string seal_tag{};    // 4 bytes: which set of shares
  std::uint8_t threshold = 0;
  std::uint8_t index = 0;
  SecretText value{};  // 32 bytes
};

std::string region_tag_of(std::string_view region);
std::string seal_tag_of(Id seal);

inline constexpr std::size_t share_text_bytes_max = 512;  // as typed, with spaces and dashes

SecretText write_share(const RecoveryShare& share);
// Takes any case, spaces, dashes and line ends between characters, O for 0, I and L for 1. invalid_input says which group
// is mistyped, or that a group is missing; it never repeats what was typed.
Result<RecoveryShare> parse_share(std::string_view typed);

}  // namespace mailhold::keys
