// What a verifier reads that somebody else wrote: bundles, what it remembered, state snapshots. Nothing of it is sound by chance.
#include <cstdlib>

#include "core/evidence/bundle.h"
#include "core/evidence/snapshot.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold;
  using namespace mailhold::ledger;
  const Id tenant = Id::from_bytes("0123456789abcdef");
  const tlog::Hash hash = tlog::hash_leaf("leaf");
  const HeadProof proof{tenant, {1, hash}, 0, {hash}, 3, encode(Heads{1000, 1, hash}), {hash}, "checkpoint"};
  const BundleHead head{proof, 1, 0, {hash}};
  const Remembered known{tenant, {7, hash}, "checkpoint", {{tenant, {3, hash}}}};
  return {"\x03" + encode(head) + encode(BundleEntry{3, "entry", {hash}}), "\x01" + known.encode()};
}

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
