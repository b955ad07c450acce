#include "core/evidence/tile_nodes.h"

#include <vector>

#include "base/bytes.h"
#include "core/evidence/log_reader.h"

namespace mailhold::ledger {
namespace {

constexpr unsigned tile_height = 8;
constexpr std::size_t file_bytes_max = tlog::tile_width * (tlog::entry_bytes_max + 2);

}  // namespace

// The partial tile of this size, or the full one that has replaced it and begins with the same.
Result<std::string> TileNodes::read(tlog::Tile tile) const {
  auto bytes = read_file(folder_ / tlog::path_of(tile), file_bytes_max);
  if (!bytes && bytes.error().kind == ErrorKind::not_found && tile.width < tlog::tile_width) {
    tile.width = tlog::tile_width;
    bytes = read_file(folder_ / tlog::path_of(tile), file_bytes_max);
  }
  if (!bytes && bytes.error().kind == ErrorKind::not_found)
    return Error{ErrorKind::corrupt, "ledger: missing: " + tlog::path_of(tile)};
  return bytes;
}

Result<const std::string*> TileNodes::tile(unsigned tile_level, std::uint64_t tile_index) const {
  const auto key = std::pair(tile_level, tile_index);
  if (const auto found = kept_.find(key); found != kept_.end()) return &found->second;
  const std::uint64_t row = size_ >> (tile_height * tile_level);
  if (tile_index * tlog::tile_width >= row) return Error{ErrorKind::not_found, "ledger: beyond the tree"};
  const auto width = static_cast<unsigned>(std::min<std::uint64_t>(row - tile_index * tlog::tile_width, tlog::tile_width));
  ASSIGN_OR_RETURN(std::string bytes, read({tile_level, tile_index, width}));
  if (bytes.size() < width * tlog::Hash::size) return Error{ErrorKind::corrupt, "ledger: a tile is too short"};
  bytes.resize(width * tlog::Hash::size);
  if (kept_.size() >= kept_tiles_max) kept_.clear();
  return &kept_.insert_or_assign(key, std::move(bytes)).first->second;
}

Result<tlog::Hash> TileNodes::node(unsigned level, std::uint64_t index) const {
  const unsigned tile_level = level / tile_height;
  const unsigned above = level % tile_height;  // rows between the tile's hashes and the node
  if (level >= 64 || index >= size_ >> level) return Error{ErrorKind::not_found, "ledger: beyond the tree"};
  const std::uint64_t first = index << above;
  ASSIGN_OR_RETURN(const std::string* const bytes, tile(tile_level, first / tlog::tile_width));
  std::vector<tlog::Hash> row;
  for (std::uint64_t i = 0; i < std::uint64_t{1} << above; ++i) {
    row.push_back(tlog::Hash::from_bytes(
        std::string_view(*bytes).substr((first % tlog::tile_width + i) * tlog::Hash::size, tlog::Hash::size)));
  }
  while (row.size() > 1) {
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = tlog::hash_children(row[2 * i], row[2 * i + 1]);
    row.resize(row.size() / 2);
  }
  return row.front();
}

Result<std::vector<std::string_view>> TileNodes::bundle_of(std::uint64_t index, std::string& bytes) const {
  if (index >= size_) return Error{ErrorKind::not_found, "ledger: beyond the tree"};
  const std::uint64_t place = index / tlog::tile_width;
  const auto width = static_cast<unsigned>(std::min<std::uint64_t>(size_ - place * tlog::tile_width, tlog::tile_width));
  ASSIGN_OR_RETURN(bytes, read({std::nullopt, place, width}));
  std::vector<std::string_view> entries;
  ByteReader reader(bytes);
  for (unsigned i = 0; i < width; ++i) entries.push_back(reader.raw(reader.u16()));
  if (!reader.ok()) return Error{ErrorKind::corrupt, "ledger: an entry bundle is too short"};
  return entries;
}

}  // namespace mailhold::ledger
