// Proofs from outside: any size, index and length; and a proof of our own holds for its leaf alone.
#include <cstdlib>

#include "base/bytes.h"
#include "formats/tlog/merkle.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold;
  ByteWriter writer;
  writer.u64(5).u64(12);
  return {writer.take() + std::string(4 * tlog::Hash::size, 'h'), ByteWriter().u64(8).u64(12).raw(std::string(64, 'h')).take()};
}

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold;
  using namespace mailhold::tlog;
  ByteReader reader({bytes, count});
  const std::uint64_t first = reader.u64();
  const std::uint64_t size = reader.u64();
  Proof proof;
  while (reader.ok() && proof.size() < proof_hashes_max) proof.push_back(Hash::from_bytes(reader.raw(Hash::size)));
  const Hash hash = hash_leaf("leaf");
  (void)verify_inclusion(hash, first, size, proof, hash);
  (void)verify_consistency(first, size, proof, hash, hash);

  // The same numbers, made small enough for a real tree.
  Tree tree;
  for (std::uint64_t i = 0; i < size % 64 + 1; ++i) tree.append(hash_leaf(std::to_string(i)));
  const std::uint64_t index = first % tree.size();
  const auto right = make_inclusion_proof(tree, index, tree.size());
  if (!right || !verify_inclusion(hash_leaf(std::to_string(index)), index, tree.size(), *right, tree.root())) std::abort();
  if (proof != *right && verify_inclusion(hash, index, tree.size(), proof, tree.root())) std::abort();
  return 0;
}
