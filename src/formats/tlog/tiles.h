// Tiles and entry bundles of C2SP tlog-tiles: 256 hashes or entries in a file, with fewer at
// the right edge. Names and bytes only; files are core/ledger's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tlog/merkle.h"

namespace mailhold::tlog {

inline constexpr unsigned tile_width = 256;
inline constexpr std::size_t entry_bytes_max = 65535;  // a bundle's length prefix is 16 bits

// Hashes of level 8 * level, from index 256 * index on; or entries if `level` is empty.
struct Tile {
  std::optional<unsigned> level;  // 0 to 7; nothing: an entry bundle
  std::uint64_t index = 0;
  unsigned width = tile_width;  // 1 to 256

  friend bool operator==(const Tile&, const Tile&) = default;
};

std::string path_of(const Tile& tile);                // "tile/0/x001/234.p/7", "tile/entries/000"
Result<Tile> parse_tile_path(std::string_view path);  // exactly what path_of writes, else invalid_input
// Every tile of a tree of that size, full and partial, lowest level first; entry bundles are not among them.
std::vector<Tile> tiles_of(std::uint64_t size);
// Those of tiles_of(size) that tiles_of(old_size) has not.
std::vector<Tile> new_tiles(std::uint64_t old_size, std::uint64_t size);
std::vector<Tile> new_bundles(std::uint64_t old_size, std::uint64_t size);

Result<std::string> tile_bytes(const Tile& tile, const NodeSource& nodes);
// corrupt unless the bytes are exactly `width` hashes.
Result<std::vector<Hash>> parse_tile(std::string_view bytes, unsigned width);

// The entry must not be longer than entry_bytes_max.
void append_to_bundle(std::string& bundle, std::string_view entry);
// Views into the bytes; corrupt unless they are exactly `width` entries.
Result<std::vector<std::string_view>> parse_bundle(std::string_view bytes, unsigned width);

}  // namespace mailhold::tlog
