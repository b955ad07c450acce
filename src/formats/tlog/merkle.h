// Merkle trees of RFC 6962 section 2.1 over SHA-256: hashes, an incremental tree, and the
// making and verifying of inclusion and consistency proofs. An entry is any byte string.
//
// Nodes are named by level and index: node (l, i) is the hash of the complete subtree over
// leaves [i * 2^l, (i + 1) * 2^l). Every proof is put together from such nodes, so whoever
// can supply them (memory, tiles on disk) can prove.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::tlog {

class Hash {
 public:
  static constexpr std::size_t size = 32;
  Hash() = default;                                // all zero
  static Hash from_bytes(std::string_view bytes);  // exactly 32 bytes, else all zero
  std::string_view bytes() const { return {bytes_.data(), size}; }
  friend bool operator==(const Hash&, const Hash&) = default;
  friend auto operator<=>(const Hash&, const Hash&) = default;

 private:
  std::array<char, size> bytes_{};
};

using Proof = std::vector<Hash>;
inline constexpr std::size_t proof_hashes_max = 128;  // two paths of a tree of 2^63 leaves

Hash hash_leaf(std::string_view entry);                   // SHA-256(0x00, entry)
Hash hash_children(const Hash& left, const Hash& right);  // SHA-256(0x01, left, right)
Hash root_of_empty_tree();                                // SHA-256()

class NodeSource {
 public:
  virtual ~NodeSource() = default;
  // The hash of a complete subtree; not_found if this source no longer has it.
  virtual Result<Hash> node(unsigned level, std::uint64_t index) const = 0;
};

// Root of the first `size` leaves.
Result<Hash> root_of(const NodeSource& nodes, std::uint64_t size);
// invalid_input unless index < size, and 0 < old_size <= size. Otherwise fails only as the source does.
Result<Proof> make_inclusion_proof(const NodeSource& nodes, std::uint64_t index, std::uint64_t size);
Result<Proof> make_consistency_proof(const NodeSource& nodes, std::uint64_t old_size, std::uint64_t size);

// The root that the proof leads to; invalid_input if the proof has not exactly the length that index and size ask for.
Result<Hash> root_from_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, std::span<const Hash> proof);
// corrupt if the proof does not lead to the root, invalid_input if it has not the right shape.
Status verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, std::span<const Hash> proof, const Hash& root);
// As above. An old size of zero proves nothing and is refused; equal sizes need an empty proof and equal roots.
Status verify_consistency(std::uint64_t old_size, std::uint64_t size, std::span<const Hash> proof, const Hash& old_root,
                          const Hash& root);

// A tree that grows leaf by leaf. It keeps all nodes until told to forget, then only what later
// roots, the proofs of later leaves and the open tiles need. One thread at a time.
class Tree final : public NodeSource {
 public:
  // The tree of that size as it is after forget_before(size): all that later leaves need. Fails only as the source does.
  static Result<Tree> restore(const NodeSource& nodes, std::uint64_t size);

  void append(const Hash& leaf);
  std::uint64_t size() const { return size_; }
  Hash root() const;
  Result<Hash> node(unsigned level, std::uint64_t index) const override;

  // Drops nodes that lie wholly before this leaf, except the right edge and what shares a tile with it.
  void forget_before(std::uint64_t leaf);

 private:
  struct Level {
    std::uint64_t first = 0;  // index of hashes.front()
    std::deque<Hash> hashes;
  };
  std::uint64_t size_ = 0;
  std::vector<Level> levels_;
};

}  // namespace mailhold::tlog
