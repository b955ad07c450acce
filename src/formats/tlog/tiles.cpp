#include "formats/tlog/tiles.h"

#include "base/bytes.h"
#include "base/text.h"

namespace mailhold::tlog {
namespace {

constexpr unsigned tile_height = 8;
constexpr unsigned tile_level_max = 7;

Error not_a_path() { return Error{ErrorKind::invalid_input, "not the path of a tile"}; }

// 1234067 -> "x001/x234/067"
std::string index_text(std::uint64_t index) {
  std::string text;
  const char* prefix = "";
  do {
    std::string group = std::to_string(1000 + index % 1000).substr(1);
    text = prefix + group + (text.empty() ? "" : "/" + text);
    prefix = "x";
    index /= 1000;
  } while (index > 0);
  return text;
}

std::optional<std::uint64_t> parse_index(std::string_view text) {
  std::uint64_t index = 0;
  const auto groups = split(text, '/');
  if (groups.size() > 6) return std::nullopt;  // 10^18: beyond any log
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::string_view group = groups[i];
    if (i + 1 < groups.size()) {
      if (!group.starts_with('x')) return std::nullopt;
      group.remove_prefix(1);
    }
    const auto number = group.size() == 3 ? to_number(group) : std::nullopt;
    if (!number) return std::nullopt;
    index = index * 1000 + *number;
  }
  return index;
}

void add_tiles_of_row(std::vector<Tile>& tiles, std::optional<unsigned> level, std::uint64_t old_count, std::uint64_t count) {
  if (old_count == count) return;
  for (std::uint64_t index = old_count / tile_width; index * tile_width < count; ++index) {
    const std::uint64_t left = count - index * tile_width;
    tiles.push_back({level, index, static_cast<unsigned>(std::min<std::uint64_t>(left, tile_width))});
  }
}

}  // namespace

std::string path_of(const Tile& tile) {
  std::string path = "tile/" + (tile.level ? std::to_string(*tile.level) : std::string("entries")) + "/";
  path += index_text(tile.index);
  if (tile.width < tile_width) path += ".p/" + std::to_string(tile.width);
  return path;
}

Result<Tile> parse_tile_path(std::string_view path) {
  const std::string_view whole = path;
  if (!path.starts_with("tile/")) return not_a_path();
  path.remove_prefix(5);
  const auto slash = path.find('/');
  if (slash == path.npos) return not_a_path();
  Tile tile;
  if (path.substr(0, slash) != "entries") {
    const auto level = to_number(path.substr(0, slash));
    if (!level || *level > tile_level_max) return not_a_path();
    tile.level = static_cast<unsigned>(*level);
  }
  path.remove_prefix(slash + 1);
  if (const auto partial = path.find(".p/"); partial != path.npos) {
    const auto width = to_number(path.substr(partial + 3));
    if (!width || *width == 0 || *width >= tile_width) return not_a_path();
    tile.width = static_cast<unsigned>(*width);
    path = path.substr(0, partial);
  }
  const auto index = parse_index(path);
  if (!index) return not_a_path();
  tile.index = *index;
  if (path_of(tile) != whole) return not_a_path();  // one spelling only
  return tile;
}

std::vector<Tile> tiles_of(std::uint64_t size) { return new_tiles(0, size); }

std::vector<Tile> new_tiles(std::uint64_t old_size, std::uint64_t size) {
  std::vector<Tile> tiles;
  for (unsigned level = 0; level <= tile_level_max && size >> (tile_height * level) > 0; ++level) {
    add_tiles_of_row(tiles, level, old_size >> (tile_height * level), size >> (tile_height * level));
  }
  return tiles;
}

std::vector<Tile> new_bundles(std::uint64_t old_size, std::uint64_t size) {
  std::vector<Tile> bundles;
  add_tiles_of_row(bundles, std::nullopt, old_size, size);
  return bundles;
}

Result<std::string> tile_bytes(const Tile& tile, const NodeSource& nodes) {
  if (!tile.level) return Error{ErrorKind::invalid_input, "an entry bundle has no hashes"};
  std::string bytes;
  bytes.reserve(tile.width * Hash::size);
  for (unsigned i = 0; i < tile.width; ++i) {
    ASSIGN_OR_RETURN(Hash hash, nodes.node(tile_height * *tile.level, tile.index * tile_width + i));
    bytes += hash.bytes();
  }
  return bytes;
}

Result<std::vector<Hash>> parse_tile(std::string_view bytes, unsigned width) {
  if (width == 0 || width > tile_width || bytes.size() != width * Hash::size) {
    return Error{ErrorKind::corrupt, "tile has a wrong length"};
  }
  std::vector<Hash> hashes;
  hashes.reserve(width);
  for (unsigned i = 0; i < width; ++i) hashes.push_back(Hash::from_bytes(bytes.substr(i * Hash::size, Hash::size)));
  return hashes;
}

void append_to_bundle(std::string& bundle, std::string_view entry) {
  bundle.push_back(static_cast<char>(entry.size() >> 8));
  bundle.push_back(static_cast<char>(entry.size() & 0xff));
  bundle += entry;
}

Result<std::vector<std::string_view>> parse_bundle(std::string_view bytes, unsigned width) {
  if (width == 0 || width > tile_width) return Error{ErrorKind::corrupt, "entry bundle has an impossible width"};
  std::vector<std::string_view> entries;
  entries.reserve(width);
  ByteReader reader(bytes);
  for (unsigned i = 0; i < width; ++i) entries.push_back(reader.raw(reader.u16()));
  RETURN_IF_ERROR(reader.finish());
  return entries;
}

}  // namespace mailhold::tlog
