// WitnessPolicy: which witnesses count, and how many of them must have cosigned a checkpoint.
//
// Design: docs/formats/ledger.md, "Witnesses"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/tlog/cosignature.h"

namespace mailhold::ledger {

inline constexpr std::size_t witnesses_max = 16;

struct WitnessPolicy {
  std::vector<tlog::CosignerKey> witnesses;
  std::size_t needed = 0;  // of them; 0: nobody has to

  // invalid_input: two with the same name or key, more needed than there are, or too many.
  Status check() const;
};

struct Cosigned {
  std::string witness;
  std::uint64_t seconds = 0;  // since 1970
};
// Who of the policy cosigned that note. Lines that do not verify do not count. A key counts once.
std::vector<Cosigned> cosigners_of(const tlog::SignedNote& note, const WitnessPolicy& policy);
// denied, with who is missing, if fewer cosigned than are needed; corrupt if it is no note.
Status check_cosignatures(std::string_view note, const WitnessPolicy& policy);

}  // namespace mailhold::ledger
