#include "formats/tlog/tiles.h"

#include <gtest/gtest.h>

namespace mailhold::tlog {
namespace {

TEST(Tiles, paths_are_those_of_the_specification) {
  EXPECT_EQ(path_of({0, 1234067, 256}), "tile/0/x001/x234/067");
  EXPECT_EQ(path_of({0, 0, 256}), "tile/0/000");
  EXPECT_EQ(path_of({2, 999, 17}), "tile/2/999.p/17");
  EXPECT_EQ(path_of({std::nullopt, 1000, 1}), "tile/entries/x001/000.p/1");
  EXPECT_EQ(path_of({1, 1000000, 256}), "tile/1/x001/x000/000");
}

TEST(Tiles, a_path_is_read_back_and_has_one_spelling) {
  for (const Tile& tile : {Tile{0, 1234067, 256}, Tile{7, 5, 255}, Tile{std::nullopt, 999999, 1}, Tile{3, 1000000000, 256}}) {
    EXPECT_EQ(*parse_tile_path(path_of(tile)), tile) << path_of(tile);
  }
  for (const char* path : {"",
                           "tile",
                           "tile/",
                           "tile/0",
                           "tile/0/",
                           "tile/8/000",
                           "tile/00/000",
                           "tile/0/0",
                           "tile/0/0000",
                           "tile/0/x000/000",
                           "tile/0/000/001",
                           "tile/0/x001/x002",
                           "tile/0/000.p/0",
                           "tile/0/000.p/256",
                           "tile/0/000.p/01",
                           "tile/0/000.p/",
                           "tile/0/000.p/1/2",
                           "tile/0/../000",
                           "tile/-1/000",
                           "tile/entries/abc",
                           "tile/0/000 ",
                           "/tile/0/000",
                           "tile/0/x999/x999/x999/x999/x999/x999/999"}) {
    EXPECT_EQ(parse_tile_path(path).error().kind, ErrorKind::invalid_input) << path;
  }
}

// The example of the specification: a tree of 70,000 leaves.
TEST(Tiles, T31_a_tree_of_70000_has_the_tiles_the_specification_names) {
  std::map<std::pair<unsigned, bool>, std::vector<unsigned>> widths;
  for (const Tile& tile : tiles_of(70000)) widths[{*tile.level, tile.width == 256}].push_back(tile.width);
  EXPECT_EQ((widths[{0, true}].size()), 273U);
  EXPECT_EQ((widths[{0, false}]), std::vector<unsigned>{112});
  EXPECT_EQ((widths[{1, true}].size()), 1U);
  EXPECT_EQ((widths[{1, false}]), std::vector<unsigned>{17});
  EXPECT_EQ((widths[{2, false}]), std::vector<unsigned>{1});
  EXPECT_EQ(tiles_of(256), (std::vector<Tile>{{0, 0, 256}, {1, 0, 1}}));
  EXPECT_TRUE(tiles_of(0).empty());
}

TEST(Tiles, growing_names_exactly_the_tiles_that_are_new) {
  for (std::uint64_t old_size = 0; old_size < 1100; old_size += 37) {
    for (std::uint64_t size = old_size; size < 1400; size += 53) {
      const auto before = tiles_of(old_size);
      std::vector<Tile> expected;
      for (const Tile& tile : tiles_of(size)) {
        if (std::find(before.begin(), before.end(), tile) == before.end()) expected.push_back(tile);
      }
      ASSERT_EQ(new_tiles(old_size, size), expected) << old_size << " to " << size;
    }
  }
}

// Roots and proofs put together from tiles alone: what a reader of the folder does.
TEST(Tiles, T31_roots_of_sizes_to_70000_follow_from_tiles_alone) {
  constexpr std::uint64_t largest = 70000;
  class TileSource final : public NodeSource {
   public:
    Result<Hash> node(unsigned level, std::uint64_t index) const override {
      // A node between two tile levels is hashed from those below it.
      if (level % 8 != 0) {
        ASSIGN_OR_RETURN(Hash left, node(level - 1, 2 * index));
        ASSIGN_OR_RETURN(Hash right, node(level - 1, 2 * index + 1));
        return hash_children(left, right);
      }
      const auto row = tiles.find({level / 8, index / 256});
      if (row == tiles.end() || index % 256 >= row->second.size()) return Error{ErrorKind::not_found, "no such tile"};
      return row->second[index % 256];
    }
    std::map<std::pair<unsigned, std::uint64_t>, std::vector<Hash>> tiles;
  } source;
  Tree tree;
  std::map<std::uint64_t, Hash> roots;
  for (std::uint64_t i = 0; i < largest; ++i) {
    if (i % 997 == 0 || i % 256 < 2) roots[i] = tree.root();
    tree.append(hash_leaf(std::to_string(i)));
  }
  roots[largest] = tree.root();
  for (const Tile& tile : tiles_of(largest)) {
    source.tiles[{*tile.level, tile.index}] = *parse_tile(*tile_bytes(tile, tree), tile.width);
  }
  for (const auto& [size, root] : roots) ASSERT_EQ(*root_of(source, size), root) << size;
  EXPECT_TRUE(verify_inclusion(hash_leaf("69999"), 69999, largest, *make_inclusion_proof(source, 69999, largest), tree.root()));
  EXPECT_TRUE(verify_consistency(4096, largest, *make_consistency_proof(source, 4096, largest), roots[4096], tree.root()));
}

TEST(Tiles, bundles_hold_empty_and_longest_entries_and_nothing_else) {
  std::string bundle;
  append_to_bundle(bundle, "");
  append_to_bundle(bundle, std::string(entry_bytes_max, 'x'));
  append_to_bundle(bundle, "last");
  const auto entries = *parse_bundle(bundle, 3);
  EXPECT_EQ(entries[0], "");
  EXPECT_EQ(entries[1].size(), entry_bytes_max);
  EXPECT_EQ(entries[2], "last");
  EXPECT_FALSE(parse_bundle(bundle, 2));
  EXPECT_FALSE(parse_bundle(bundle, 4));
  EXPECT_FALSE(parse_bundle(bundle + "x", 3));
  EXPECT_FALSE(parse_bundle({bundle.data(), bundle.size() - 1}, 3));
  EXPECT_FALSE(parse_bundle("", 0));
  EXPECT_FALSE(parse_bundle("", 257));
  EXPECT_FALSE(parse_tile(std::string(31, 'x'), 1));
  EXPECT_FALSE(parse_tile(std::string(64, 'x'), 1));
}

}  // namespace
}  // namespace mailhold::tlog
