#include "formats/tlog/merkle.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/text.h"
#include "corpora.h"

namespace mailhold::tlog {
namespace {

// The inputs of the certificate-transparency reference tests, whose roots are published.
const std::vector<std::string> reference_entries = {"",
                                                    std::string(1, '\0'),
                                                    "\x10",
                                                    "\x20\x21",
                                                    "\x30\x31",
                                                    "\x40\x41\x42\x43",
                                                    "\x50\x51\x52\x53\x54\x55\x56\x57",
                                                    "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};

std::string leaf_text(std::size_t number) { return "leaf " + std::to_string(number); }

Tree tree_of(std::size_t size) {
  Tree tree;
  for (std::size_t i = 0; i < size; ++i) tree.append(hash_leaf(leaf_text(i)));
  return tree;
}

// RFC 6962 section 2.1 word by word, as something to compare with.
struct Naive {
  explicit Naive(std::vector<Hash> leaves) : leaves_(std::move(leaves)) {}
  static std::size_t split_of(std::size_t count) {
    std::size_t k = 1;
    while (k * 2 < count) k *= 2;
    return k;
  }
  Hash root(std::size_t begin, std::size_t end) const {
    if (begin == end) return root_of_empty_tree();
    if (end - begin == 1) return leaves_[begin];
    const auto key = std::make_pair(begin, end);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    const std::size_t k = split_of(end - begin);
    return known_[key] = hash_children(root(begin, begin + k), root(begin + k, end));
  }
  Proof path(std::size_t index, std::size_t begin, std::size_t end) const {
    if (end - begin == 1) return {};
    const std::size_t middle = begin + split_of(end - begin);
    Proof proof = index < middle ? path(index, begin, middle) : path(index, middle, end);
    proof.push_back(index < middle ? root(middle, end) : root(begin, middle));
    return proof;
  }
  Proof subproof(std::size_t old_end, std::size_t begin, std::size_t end, bool whole) const {
    if (old_end == end) return whole ? Proof{} : Proof{root(begin, end)};
    const std::size_t middle = begin + split_of(end - begin);
    Proof proof = old_end <= middle ? subproof(old_end, begin, middle, whole) : subproof(old_end, middle, end, false);
    proof.push_back(old_end <= middle ? root(middle, end) : root(begin, middle));
    return proof;
  }
  std::vector<Hash> leaves_;
  mutable std::map<std::pair<std::size_t, std::size_t>, Hash> known_;
};

TEST(MerkleTree, T31_roots_of_the_reference_inputs_are_the_published_ones) {
  const std::map<std::size_t, std::string> roots = {{0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                                                    {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
                                                    {2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
                                                    {3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
                                                    {8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"}};
  Tree tree;
  for (std::size_t size = 0; size <= reference_entries.size(); ++size) {
    if (roots.contains(size)) EXPECT_EQ(to_hex(tree.root().bytes()), roots.at(size)) << size;
    if (size < reference_entries.size()) tree.append(hash_leaf(reference_entries[size]));
  }
}

TEST(MerkleTree, T31_every_size_to_600_agrees_with_the_definition) {
  constexpr std::size_t largest = 600;
  const Tree tree = tree_of(largest);
  std::vector<Hash> leaves;
  for (std::size_t i = 0; i < largest; ++i) leaves.push_back(hash_leaf(leaf_text(i)));
  const Naive naive(leaves);
  Tree growing;
  for (std::size_t size = 0; size <= largest; ++size) {
    ASSERT_EQ(growing.root(), naive.root(0, size)) << size;
    ASSERT_EQ(*root_of(tree, size), naive.root(0, size)) << size;
    if (size < largest) growing.append(leaves[size]);
  }
  std::size_t proofs = 0;
  for (std::size_t size = 1; size <= largest; ++size) {
    const Hash root = naive.root(0, size);
    // All of the small trees, and of the large ones every seventh place and the edges.
    for (std::size_t index = 0; index < size; index += size < 80 || index + 9 > size ? 1 : 7) {
      const Proof path = *make_inclusion_proof(tree, index, size);
      ASSERT_EQ(path, naive.path(index, 0, size)) << index << " of " << size;
      ASSERT_TRUE(verify_inclusion(leaves[index], index, size, path, root));
      const Proof consistency = *make_consistency_proof(tree, index + 1, size);
      ASSERT_EQ(consistency, naive.subproof(index + 1, 0, size, true)) << index + 1 << " to " << size;
      ASSERT_TRUE(verify_consistency(index + 1, size, consistency, naive.root(0, index + 1), root));
      proofs += 2;
    }
  }
  std::printf("merkle: %zu proofs agree with the definition\n", proofs);
}

TEST(MerkleTree, T31_a_changed_bit_anywhere_in_a_proof_is_refused) {
  const Tree tree = tree_of(100);
  const Hash root = tree.root();
  for (const std::uint64_t index : {0U, 1U, 37U, 63U, 64U, 98U, 99U}) {
    const Hash leaf = hash_leaf(leaf_text(index));
    const Proof proof = *make_inclusion_proof(tree, index, 100);
    for (std::size_t i = 0; i < proof.size(); ++i) {
      std::string bytes(proof[i].bytes());
      bytes[i % 32] ^= 1;
      Proof changed = proof;
      changed[i] = Hash::from_bytes(bytes);
      EXPECT_FALSE(verify_inclusion(leaf, index, 100, changed, root));
    }
    EXPECT_FALSE(verify_inclusion(leaf, index ^ 1, 100, proof, root));
    Proof longer = proof;
    longer.push_back(root);
    EXPECT_FALSE(verify_inclusion(leaf, index, 100, longer, root));
    Proof shorter = proof;
    shorter.pop_back();
    EXPECT_FALSE(verify_inclusion(leaf, index, 100, shorter, root));
  }
}

TEST(MerkleTree, a_tree_that_forgot_still_proves_what_came_since) {
  Tree whole;
  Tree forgetful;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const Hash leaf = hash_leaf(leaf_text(i));
    whole.append(leaf);
    forgetful.append(leaf);
    if (i % 777 == 0) forgetful.forget_before(i);
    ASSERT_EQ(forgetful.root(), whole.root()) << i;
    ASSERT_EQ(*make_inclusion_proof(forgetful, i, i + 1), *make_inclusion_proof(whole, i, i + 1)) << i;
  }
  EXPECT_EQ(make_inclusion_proof(forgetful, 3, 5000).error().kind, ErrorKind::not_found);
}

TEST(MerkleTree, huge_sizes_and_indexes_do_not_confuse_the_verifiers) {
  const Hash hash = hash_leaf("x");
  const std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_FALSE(verify_inclusion(hash, huge - 1, huge, Proof(64, hash), hash));
  EXPECT_FALSE(verify_inclusion(hash, 0, huge, Proof(64, hash), hash));
  EXPECT_FALSE(verify_inclusion(hash, 0, huge, {}, hash));
  EXPECT_FALSE(verify_consistency(1, huge, Proof(64, hash), hash, hash));
  EXPECT_FALSE(verify_consistency(huge - 1, huge, Proof(65, hash), hash, hash));
  EXPECT_FALSE(verify_consistency(std::uint64_t{1} << 63, huge, Proof(63, hash), hash, hash));
}

// ---- transparency-dev/merkle's vectors -------------------------------------------------------

struct Vector {
  explicit Vector(const std::filesystem::path& path) : json(read_whole_file(path)) {}
  std::uint64_t number(const std::string& name) const {
    std::smatch match;
    return std::regex_search(json, match, std::regex("\"" + name + "\": *([0-9]+)")) ? std::stoull(match[1]) : 0;
  }
  std::optional<Hash> hash_from(const std::string& base64) const {
    const auto bytes = from_base64(base64);
    if (!bytes || bytes->size() != Hash::size) return std::nullopt;  // our types cannot even hold it
    return Hash::from_bytes(*bytes);
  }
  std::optional<Hash> hash(const std::string& name) const {
    std::smatch match;
    if (!std::regex_search(json, match, std::regex("\"" + name + "\": *\"([^\"]*)\""))) return std::nullopt;
    return hash_from(match[1]);
  }
  std::optional<Proof> proof() const {
    std::smatch match;
    if (!std::regex_search(json, match, std::regex("\"proof\": *\\[([^\\]]*)\\]"))) return Proof{};
    Proof proof;
    const std::string list = match[1];
    const std::regex item("\"([^\"]*)\"");
    for (std::sregex_iterator i(list.begin(), list.end(), item); i != std::sregex_iterator(); ++i) {
      const auto hash = hash_from((*i)[1]);
      if (!hash) return std::nullopt;
      proof.push_back(*hash);
    }
    return proof;
  }
  bool wants_error() const { return json.find("\"wantErr\": true") != json.npos; }
  std::string json;
};

template <class Check>
void run_vectors(const std::filesystem::path& folder, const char* name, Check check) {
  std::size_t passed = 0;
  std::size_t total = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    const Vector vector(file.path());
    ++total;
    const bool accepted = check(vector);
    EXPECT_EQ(accepted, !vector.wants_error()) << file.path().filename();
    if (accepted == !vector.wants_error()) ++passed;
  }
  std::printf("merkle-vectors %s: %zu of %zu\n", name, passed, total);
  EXPECT_GT(total, 0U);
}

TEST(MerkleTree, T31_inclusion_vectors_of_transparency_dev) {
  CORPUS_OR_RETURN(folder, "merkle-vectors");
  run_vectors(folder / "merkle/testdata/inclusion", "inclusion", [](const Vector& vector) {
    const auto leaf = vector.hash("leafHash");
    const auto root = vector.hash("root");
    const auto proof = vector.proof();
    return leaf && root && proof && verify_inclusion(*leaf, vector.number("leafIdx"), vector.number("treeSize"), *proof, *root);
  });
}

TEST(MerkleTree, T31_consistency_vectors_of_transparency_dev) {
  CORPUS_OR_RETURN(folder, "merkle-vectors");
  run_vectors(folder / "merkle/testdata/consistency", "consistency", [](const Vector& vector) {
    const auto old_root = vector.hash("root1");
    const auto root = vector.hash("root2");
    const auto proof = vector.proof();
    return old_root && root && proof &&
           verify_consistency(vector.number("size1"), vector.number("size2"), *proof, *old_root, *root);
  });
  std::printf("merkle-vectors subtree proofs, compact ranges, trillian dump: not of RFC 6962, not used\n");
}

}  // namespace
}  // namespace mailhold::tlog
