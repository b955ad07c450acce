// TileNodes: the nodes of a published tree, read from the tiles of a log's folder. With it any proof of a tree of that size or a
// smaller one can be made without the tree in memory. Keeps the last tiles it read. One thread at a time.
#pragma once

#include <filesystem>
#include <map>
#include <utility>

#include "formats/tlog/merkle.h"
#include "formats/tlog/tiles.h"

namespace mailhold::ledger {

class TileNodes final : public tlog::NodeSource {
 public:
  // `size` is that of a checkpoint that was published.
  TileNodes(std::filesystem::path folder, std::uint64_t size) : folder_(std::move(folder)), size_(size) {}

  // not_found: no node of this tree. corrupt: its tile is missing or has a wrong length.
  Result<tlog::Hash> node(unsigned level, std::uint64_t index) const override;
  // The entries of the bundle that holds this index, up to the size; unavailable or corrupt. `bytes` is what the views point
  // into.
  Result<std::vector<std::string_view>> bundle_of(std::uint64_t index, std::string& bytes) const;

 private:
  static constexpr std::size_t kept_tiles_max = 256;
  Result<const std::string*> tile(unsigned tile_level, std::uint64_t tile_index) const;
  Result<std::string> read(tlog::Tile tile) const;

  const std::filesystem::path folder_;
  const std::uint64_t size_;
  mutable std::map<std::pair<unsigned, std::uint64_t>, std::string> kept_;
};

}  // namespace mailhold::ledger
