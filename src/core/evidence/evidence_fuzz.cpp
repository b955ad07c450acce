// What a verifier reads that somebody else wrote: bundles, what it remembered, state snapshots. Nothing of it is sound by chance.
#include <cstdlib>

#include "core/evidence/bundle.h"
#include "core/evidence/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold;
  using namespace mailhold::ledger;
  if (count == 0) return 0;
  const std::string_view input(bytes + 1, count - 1);
  const tlog::NoteKey key{"ledger.test/eu", std::string(32, 'k')};
  switch (bytes[0] % 3) {
    case 0:
      if (verify_bundle(input, {key, Id::from_bytes("0123456789abcdef"), {}, std::nullopt}).sound) std::abort();
      break;
    case 1:
      if (const auto known = Remembered::parse(input); known && known->encode() != input) std::abort();
      break;
    default: {
      if (parse_snapshot(input, key)) std::abort();
      ByteReader reader(input);
      (void)Chains::read(reader);
    }
  }
  return 0;
}
