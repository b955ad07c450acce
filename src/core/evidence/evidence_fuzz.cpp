// What a verifier reads that somebody else wrote: bundles, what it remembered, state snapshots, receipts, manifests of exports.
// Nothing of it is sound by chance.
#include <cstdlib>

#include "core/evidence/bundle.h"
#include "core/evidence/export_check.h"
#include "core/evidence/receipt.h"
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
  return {"\x05" + encode(head) + encode(BundleEntry{3, "entry", {hash}}), "\x01" + known.encode(),
          "\x03" + Receipt{"ledger.test/eu", 4, hash, 3, {hash}, "entry", 1000, 2000, "signature", "{}"}.encode(),
          "\x04" + std::string(64, 'a') + "  INBOX/a.eml\n" + std::string(64, 'b') + "  INDEX.jsonl\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold;
  using namespace mailhold::ledger;
  if (count == 0) return 0;
  const std::string_view input(bytes + 1, count - 1);
  const tlog::NoteKey key{"ledger.test/eu", std::string(32, 'k')};
  switch (bytes[0] % 5) {
    case 0:
      if (verify_bundle(input, {key, Id::from_bytes("0123456789abcdef"), {}, std::nullopt}).sound) std::abort();
      break;
    case 1:
      if (const auto known = Remembered::parse(input); known && known->encode() != input) std::abort();
      break;
    case 3:
      if (const auto receipt = Receipt::parse(input); receipt && verify_receipt(*receipt, key, {}, receipt->time)) std::abort();
      break;
    case 4: {
      const auto lines = parse_manifest(input);
      if (!lines) break;
      for (const ManifestLine& line : *lines) {
        if (line.sha256.size() != 32 || ("/" + line.name + "/").find("/../") != std::string::npos || line.name[0] == '/')
          std::abort();
      }
      break;
    }
    default: {
      if (parse_snapshot(input, key)) std::abort();
      ByteReader reader(input);
      (void)Chains::read(reader);
    }
  }
  return 0;
}
