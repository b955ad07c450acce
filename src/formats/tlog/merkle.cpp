#include "formats/tlog/merkle.h"

#include <bit>
#include <cstring>

#include "platform/crypto/hash.h"

namespace mailhold::tlog {
namespace {

Error wrong_shape(const char* what) { return Error{ErrorKind::invalid_input, what}; }

// Calls `step(level, index)` for each complete subtree that the range [begin, end) is made of, from left to
// right, where begin is a multiple of the largest of them.
template <class Step>
Status for_each_subtree(std::uint64_t begin, std::uint64_t end, Step step) {
  while (begin < end) {
    // The largest aligned subtree that starts at begin and does not pass end.
    unsigned level = begin == 0 ? 63 : static_cast<unsigned>(std::countr_zero(begin));
    while ((end - begin) >> level == 0) --level;
    RETURN_IF_ERROR(step(level, begin >> level));
    begin += std::uint64_t{1} << level;
  }
  return done();
}

// Hash of a range that RFC 6962 hashes as a tree of its own: its subtrees joined from the right.
Result<Hash> hash_of_range(const NodeSource& nodes, std::uint64_t begin, std::uint64_t end) {
  std::vector<Hash> parts;
  RETURN_IF_ERROR(for_each_subtree(begin, end, [&](unsigned level, std::uint64_t index) -> Status {
    ASSIGN_OR_RETURN(Hash part, nodes.node(level, index));
    parts.push_back(part);
    return done();
  }));
  if (parts.empty()) return root_of_empty_tree();
  Hash hash = parts.back();
  for (std::size_t i = parts.size() - 1; i-- > 0;) hash = hash_children(parts[i], hash);
  return hash;
}

// Where RFC 6962 splits a tree of `count` leaves: the largest power of two below it.
std::uint64_t split_of(std::uint64_t count) { return std::bit_floor(count - 1); }

// The path of RFC 6962 section 2.1.1 from the leaf's sibling up. The walk goes down, so it is built in reverse.
Result<Proof> path_of_leaf(const NodeSource& nodes, std::uint64_t index, std::uint64_t size) {
  Proof path;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {
    const std::uint64_t middle = begin + split_of(end - begin);
    const bool goes_left = index < middle;
    ASSIGN_OR_RETURN(Hash sibling, goes_left ? hash_of_range(nodes, middle, end) : hash_of_range(nodes, begin, middle));
    path.push_back(sibling);
    (goes_left ? end : begin) = middle;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

// Number of levels on which the path still has a sibling on the right: below them, index and size - 1 differ.
unsigned inner_length(std::uint64_t index, std::uint64_t size) {
  return static_cast<unsigned>(std::bit_width(index ^ (size - 1)));
}

Hash chain_left(Hash hash, std::span<const Hash> siblings) {
  for (const Hash& sibling : siblings) hash = hash_children(sibling, hash);
  return hash;
}

}  // namespace

Hash Hash::from_bytes(std::string_view bytes) {
  Hash hash;
  if (bytes.size() == size) std::memcpy(hash.bytes_.data(), bytes.data(), size);
  return hash;
}

Hash hash_leaf(std::string_view entry) {
  std::string input;
  input.reserve(1 + entry.size());
  input.push_back('\0');
  input.append(entry);
  return Hash::from_bytes(crypto::sha256(input));
}

Hash hash_children(const Hash& left, const Hash& right) {
  std::array<char, 1 + 2 * Hash::size> input{};
  input[0] = 1;
  std::memcpy(input.data() + 1, left.bytes().data(), Hash::size);
  std::memcpy(input.data() + 1 + Hash::size, right.bytes().data(), Hash::size);
  return Hash::from_bytes(crypto::sha256({input.data(), input.size()}));
}

Hash root_of_empty_tree() { return Hash::from_bytes(crypto::sha256({})); }

Result<Hash> root_of(const NodeSource& nodes, std::uint64_t size) { return hash_of_range(nodes, 0, size); }

Result<Proof> make_inclusion_proof(const NodeSource& nodes, std::uint64_t index, std::uint64_t size) {
  if (index >= size) return wrong_shape("leaf is not in the tree");
  return path_of_leaf(nodes, index, size);
}

// RFC 6962 section 2.1.2. The walk goes down along the edge of the old tree; the parts that are whole
// in both trees are given once, the first of them only if it is not the old tree itself.
Result<Proof> make_consistency_proof(const NodeSource& nodes, std::uint64_t old_size, std::uint64_t size) {
  if (old_size == 0 || old_size > size) return wrong_shape("sizes do not allow a consistency proof");
  Proof proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (old_size != end) {
    const std::uint64_t middle = begin + split_of(end - begin);
    const bool goes_left = old_size <= middle;
    ASSIGN_OR_RETURN(Hash other, goes_left ? hash_of_range(nodes, middle, end) : hash_of_range(nodes, begin, middle));
    proof.push_back(other);
    (goes_left ? end : begin) = middle;
  }
  if (begin != 0) {
    ASSIGN_OR_RETURN(Hash seed, hash_of_range(nodes, begin, end));
    proof.push_back(seed);
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

Result<Hash> root_from_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, std::span<const Hash> proof) {
  if (index >= size) return wrong_shape("leaf is not in the tree");
  const unsigned inner = inner_length(index, size);
  // Above the inner part the leaf's subtree is on the right edge: it has a sibling for each one bit of the index.
  const auto border = static_cast<unsigned>(std::popcount(inner < 64 ? index >> inner : 0));
  if (proof.size() != inner + border) return wrong_shape("inclusion proof has a wrong length");
  Hash hash = leaf;
  for (unsigned i = 0; i < inner; ++i) {
    hash = ((index >> i) & 1) == 0 ? hash_children(hash, proof[i]) : hash_children(proof[i], hash);
  }
  return chain_left(hash, proof.subspan(inner));
}

Status verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, std::span<const Hash> proof,
                        const Hash& root) {
  ASSIGN_OR_RETURN(Hash calculated, root_from_inclusion(leaf, index, size, proof));
  if (calculated != root) return Error{ErrorKind::corrupt, "inclusion proof leads to another root"};
  return done();
}

Status verify_consistency(std::uint64_t old_size, std::uint64_t size, std::span<const Hash> proof, const Hash& old_root,
                          const Hash& root) {
  if (old_size == 0 || old_size > size) return wrong_shape("sizes do not allow a consistency proof");
  if (old_size == size) {
    if (!proof.empty()) return wrong_shape("equal sizes need no proof");
    if (old_root != root) return Error{ErrorKind::corrupt, "equal sizes with different roots"};
    return done();
  }
  if (proof.empty()) return wrong_shape("consistency proof is empty");

  // The walk of the last old leaf, started above the levels that are whole in the old tree (RFC 9162 section 2.1.4.2).
  const auto shift = static_cast<unsigned>(std::countr_zero(old_size));
  const unsigned inner = inner_length(old_size - 1, size) - shift;
  const std::uint64_t path = (old_size - 1) >> shift;
  const auto border = static_cast<unsigned>(std::popcount(inner < 64 ? path >> inner : 0));
  const bool old_is_whole = std::has_single_bit(old_size);  // then its root is the seed and is not sent
  const std::size_t start = old_is_whole ? 0 : 1;
  if (proof.size() != start + inner + border) return wrong_shape("consistency proof has a wrong length");

  const Hash seed = old_is_whole ? old_root : proof[0];
  const auto rest = proof.subspan(start);
  Hash old_hash = seed;
  Hash new_hash = seed;
  for (unsigned i = 0; i < inner; ++i) {
    if (((path >> i) & 1) == 0) {
      new_hash = hash_children(new_hash, rest[i]);
    } else {
      old_hash = hash_children(rest[i], old_hash);
      new_hash = hash_children(rest[i], new_hash);
    }
  }
  old_hash = chain_left(old_hash, rest.subspan(inner));
  new_hash = chain_left(new_hash, rest.subspan(inner));
  if (old_hash != old_root) return Error{ErrorKind::corrupt, "consistency proof leads to another old root"};
  if (new_hash != root) return Error{ErrorKind::corrupt, "consistency proof leads to another root"};
  return done();
}

Result<Tree> Tree::restore(const NodeSource& nodes, std::uint64_t size) {
  Tree tree;
  tree.size_ = size;
  for (unsigned level = 0; level < 64 && size >> level > 0; ++level) {
    const std::uint64_t end = size >> level;
    Level row{end & ~std::uint64_t{255}, {}};
    for (std::uint64_t index = row.first; index < end; ++index) {
      ASSIGN_OR_RETURN(Hash hash, nodes.node(level, index));
      row.hashes.push_back(hash);
    }
    tree.levels_.push_back(std::move(row));
  }
  return tree;
}

void Tree::append(const Hash& leaf) {
  Hash hash = leaf;
  std::uint64_t index = size_++;
  for (unsigned level = 0;; ++level, index >>= 1) {
    if (levels_.size() == level) levels_.emplace_back();
    levels_[level].hashes.push_back(hash);
    if ((index & 1) == 0) return;
    // A right child completes its parent; the left one is kept by forget_before.
    const auto& row = levels_[level].hashes;
    hash = hash_children(row[row.size() - 2], hash);
  }
}

Hash Tree::root() const { return *root_of(*this, size_); }

Result<Hash> Tree::node(unsigned level, std::uint64_t index) const {
  if (level < levels_.size() && index >= levels_[level].first && index - levels_[level].first < levels_[level].hashes.size()) {
    return levels_[level].hashes[index - levels_[level].first];
  }
  return Error{ErrorKind::not_found, "node is not in memory"};
}

void Tree::forget_before(std::uint64_t leaf) {
  leaf = std::min(leaf, size_);
  for (unsigned level = 0; level < levels_.size(); ++level) {
    Level& row = levels_[level];
    // The start of the tile that holds this place, and one node more: it may be the left sibling of what comes.
    const std::uint64_t tile_start = (leaf >> level) & ~std::uint64_t{255};
    const std::uint64_t keep_from = tile_start == 0 ? 0 : tile_start - 1;
    while (row.first < keep_from && row.hashes.size() > 1) {
      row.hashes.pop_front();
      ++row.first;
    }
  }
}

}  // namespace mailhold::tlog
