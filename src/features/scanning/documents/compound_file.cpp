#include "features/scanning/documents/compound_file.h"

#include <algorithm>

#include "features/scanning/documents/little_endian.h"

namespace mailhold::scanning {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view signature = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv;
constexpr std::size_t header_bytes = 512, entry_bytes = 128, small_stream_bytes = 4096;
constexpr unsigned small_sector_bits = 6;
constexpr std::uint32_t last_sector_number = 0xFFFFFFFA;  // what is above says that there is none
constexpr std::uint8_t type_stream = 2, type_root = 5;

std::vector<std::uint32_t> numbers_of(std::string_view bytes) {
  std::vector<std::uint32_t> numbers(bytes.size() / 4);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = little_endian(bytes, i * 4, 4);
  return numbers;
}

// Names of the streams that matter are ASCII.
std::string name_of(std::string_view entry) {
  std::string name;
  const std::size_t bytes = std::min<std::size_t>(little_endian(entry, 64, 2), 64);
  for (std::size_t at = 0; at + 2 < bytes; at += 2) name += static_cast<char>(little_endian(entry, at, 2) & 0x7FU);
  return name;
}

}  // namespace

bool CompoundFile::is_one(std::string_view bytes) { return bytes.starts_with(signature); }

std::optional<CompoundFile> CompoundFile::open(std::string_view file) {
  CompoundFile opened(file);
  if (!opened.load()) return std::nullopt;
  return opened;
}

bool CompoundFile::load() {
  constexpr std::uint32_t bits_of_version_3 = 9, bits_of_version_4 = 12;
  if (!is_one(file_) || file_.size() < header_bytes) return false;
  sector_bits_ = little_endian(file_, 30, 2);
  if (sector_bits_ != bits_of_version_3 && sector_bits_ != bits_of_version_4) return false;
  if (little_endian(file_, 32, 2) != small_sector_bits) return false;
  return load_table() && load_directory();
}

// Which sectors hold the table stands in the header, and behind it in sectors that are chained by their last numbers.
bool CompoundFile::load_table() {
  constexpr std::size_t first_place = 76, places = 109;
  for (std::size_t i = 0; i < places; ++i) add_to_table(little_endian(file_, first_place + i * 4, 4));
  const std::size_t sectors = file_.size() >> sector_bits_;
  std::uint32_t next = little_endian(file_, 68, 4);
  for (std::size_t seen = 0; next <= last_sector_number; ++seen) {
    const std::vector<std::uint32_t> numbers = numbers_of(sector(next));
    if (numbers.empty() || seen > sectors) return false;
    for (std::size_t i = 0; i + 1 < numbers.size(); ++i) add_to_table(numbers[i]);
    next = numbers.back();
  }
  return !table_.empty();
}

// No more than there can be sectors: a table that names itself again and again ends.
void CompoundFile::add_to_table(std::uint32_t number) {
  if (number > last_sector_number || table_.size() > file_.size() >> sector_bits_) return;
  const std::vector<std::uint32_t> numbers = numbers_of(sector(number));
  table_.insert(table_.end(), numbers.begin(), numbers.end());
}

bool CompoundFile::load_directory() {
  const std::optional<std::string> directory = chain(little_endian(file_, 48, 4));
  if (!directory || directory->size() < entry_bytes) return false;
  std::vector<Entry> entries;
  for (std::size_t at = 0; at + entry_bytes <= directory->size(); at += entry_bytes) {
    const std::string_view entry = std::string_view(*directory).substr(at, entry_bytes);
    entries.push_back({name_of(entry), static_cast<std::uint8_t>(entry[66]), little_endian(entry, 68, 4),
                       little_endian(entry, 72, 4), little_endian(entry, 76, 4), little_endian(entry, 116, 4),
                       little_endian(entry, 120, 4)});
  }
  const Entry& root = entries.front();
  if (root.type != type_root) return false;
  const std::uint32_t small_table = little_endian(file_, 60, 4);
  if (small_table <= last_sector_number && root.first <= last_sector_number) {
    const std::optional<std::string> numbers = chain(small_table), sectors = chain(root.first);
    if (!numbers || !sectors) return false;
    small_table_ = numbers_of(*numbers);
    small_sectors_ = *sectors;
  }
  keep_streams_of_root(entries);
  return true;
}

// A folder is a tree of siblings; what lies in folders below belongs to documents inside this one.
void CompoundFile::keep_streams_of_root(const std::vector<Entry>& entries) {
  std::vector<bool> seen(entries.size());
  std::vector<std::uint32_t> open = {entries.front().child};
  while (!open.empty()) {
    const std::uint32_t number = open.back();
    open.pop_back();
    if (number >= entries.size() || seen[number]) continue;
    seen[number] = true;
    const Entry& entry = entries[number];
    if (entry.type == type_stream) streams_.push_back(entry);
    open.push_back(entry.left);
    open.push_back(entry.right);
  }
}

std::string_view CompoundFile::sector(std::uint32_t number) const {
  const std::uint64_t at = (std::uint64_t{number} + 1) << sector_bits_;
  if (at >= file_.size()) return {};
  return file_.substr(static_cast<std::size_t>(at), std::size_t{1} << sector_bits_);
}

// Nothing: it leaves the file, or is longer than the file.
std::optional<std::string> CompoundFile::chain(std::uint32_t first) const {
  std::string bytes;
  for (std::uint32_t number = first; number <= last_sector_number; number = table_[number]) {
    const std::string_view piece = sector(number);
    if (piece.empty() || number >= table_.size() || bytes.size() + piece.size() > file_.size()) return std::nullopt;
    bytes += piece;
  }
  return bytes;
}

std::optional<std::string> CompoundFile::stream(std::string_view name) const {
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const Entry& entry) { return entry.name == name; });
  if (found == streams_.end()) return std::nullopt;
  if (found->bytes >= small_stream_bytes) {
    std::optional<std::string> bytes = chain(found->first);
    if (!bytes || bytes->size() < found->bytes) return std::nullopt;
    bytes->resize(found->bytes);
    return bytes;
  }
  std::string bytes;
  for (std::uint32_t number = found->first; bytes.size() < found->bytes; number = small_table_[number]) {
    const auto piece = piece_of(small_sectors_, std::size_t{number} << small_sector_bits, std::size_t{1} << small_sector_bits);
    if (!piece || number >= small_table_.size()) return std::nullopt;
    bytes += *piece;
  }
  bytes.resize(found->bytes);
  return bytes;
}

}  // namespace mailhold::scanning
