#include "features/scanning/checks/zip_archive.h"

#include <algorithm>
#include <set>

namespace mailhold::scanning {
namespace {

std::uint32_t number(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[offset + i])) << 8 * i;
  return value;
}

constexpr std::size_t local_header_bytes = 30, directory_header_bytes = 46;
constexpr std::size_t name_bytes_max = 4096;  // no system has longer paths
constexpr std::uint32_t version_max = 63;     // that APPNOTE knows
// An entry has two records, and those of archives that are stored inside count too. Signatures alone could be millions.
constexpr std::size_t records_per_entry_max = 16;

// Finds records by their signatures, wherever they stand: a directory that is damaged or lies is read as well as a good one.
class Records {
 public:
  Records(std::string_view archive, std::size_t entries_max, bool& truncated)
      : archive_(archive), left_(entries_max * records_per_entry_max), truncated_(truncated) {}

  // `read` takes the place and the name of each, until it returns false.
  template <class Read>
  void for_each(std::string_view signature, std::size_t header_bytes, std::size_t version_at, std::size_t name_size_at,
                Read read) {
    for (std::size_t at = archive_.find(signature); at != std::string_view::npos; at = archive_.find(signature, at + 4)) {
      if (archive_.size() - at < header_bytes) return;
      if (left_ == 0) {
        truncated_ = true;
        return;
      }
      --left_;
      const std::size_t name_size = number(archive_, at + name_size_at, 2);
      if (archive_.size() - at - header_bytes < name_size) continue;
      // A signature stands in packed bytes by chance too: with such a name it is a record only if its version is one.
      if (name_size > name_bytes_max)
        truncated_ = truncated_ || number(archive_, at + version_at, 2) <= version_max;
      else if (!read(at, archive_.substr(at + header_bytes, name_size)))
        return;
    }
  }

 private:
  const std::string_view archive_;
  std::size_t left_;
  bool& truncated_;
};

ZipEntry entry_of_directory(std::string_view archive, std::size_t at, std::string_view name) {
  ZipEntry entry;
  entry.encrypted = (number(archive, at + 8, 2) & 1) != 0;
  entry.method = static_cast<std::uint16_t>(number(archive, at + 10, 2));
  entry.checksum = number(archive, at + 16, 4);
  entry.packed_bytes = number(archive, at + 20, 4);
  entry.offset = number(archive, at + 42, 4);
  entry.name = name;
  return entry;
}

constexpr std::string_view end_signature = "PK\x05\x06";
constexpr std::size_t end_bytes = 22, comment_bytes_max = 0xFFFF;

// The last record that can end the archive, as with its comment it takes what remains: at least so many bytes.
std::optional<std::size_t> find_end(std::string_view archive, std::size_t rest_min = end_bytes) {
  const std::size_t rest_max = std::min(archive.size(), end_bytes + comment_bytes_max);
  for (std::size_t rest = rest_min; rest <= rest_max; ++rest) {
    const std::size_t at = archive.size() - rest;
    if (archive.substr(at).starts_with(end_signature) && number(archive, at + 20, 2) == rest - end_bytes) return at;
  }
  return std::nullopt;
}

// Programs differ in what they show where the count or the size is wrong, or a comment looks like another end.
bool is_doubtful(std::string_view archive, std::size_t end, std::size_t behind_entries) {
  const std::size_t begin = number(archive, end + 16, 4), size = number(archive, end + 12, 4);
  return begin + size != end || find_end(archive, archive.size() - end + 1) ||
         archive.substr(behind_entries, end - behind_entries).find("PK\x01\x02") != std::string_view::npos;
}

}  // namespace

ZipListing list_zip(std::string_view archive, std::size_t entries_max) {
  ZipListing listing;
  std::set<std::uint64_t> listed_offsets;
  std::set<std::string_view> listed_names;
  Records records(archive, entries_max, listing.truncated);
  records.for_each("PK\x01\x02", directory_header_bytes, 6, 28, [&](std::size_t at, std::string_view name) {
    if (listing.entries.size() >= entries_max) return !(listing.truncated = true);
    ZipEntry entry = entry_of_directory(archive, at, name);
    listed_offsets.insert(entry.offset);
    listed_names.insert(name);
    listing.entries.push_back(std::move(entry));
    return true;
  });
  const bool any_listed = !listing.entries.empty();
  records.for_each("PK\x03\x04", local_header_bytes, 4, 26, [&](std::size_t at, std::string_view name) {
    // An archive stored inside of this one has local headers too: those are found when it is looked into.
    if (listed_offsets.contains(at) || listed_names.contains(name)) return true;
    if (listing.entries.size() >= entries_max) return !(listing.truncated = true);
    if (any_listed && at == 0) listing.two_listings = true;
    listing.entries.push_back({std::string(name), number(archive, at + 18, 4), at, 0,
                               static_cast<std::uint16_t>(number(archive, at + 8, 2)), (number(archive, at + 6, 2) & 1) != 0});
    return true;
  });
  return listing;
}

std::optional<ZipListing> list_zip_directory(std::string_view archive, std::size_t entries_max) {
  const std::optional<std::size_t> found = find_end(archive);
  if (!found) return std::nullopt;
  const std::size_t end = *found, count = number(archive, end + 10, 2);
  std::size_t at = number(archive, end + 16, 4);
  ZipListing listing;
  for (std::size_t i = 0; i < count; ++i) {
    if (at > end || end - at < directory_header_bytes || !archive.substr(at).starts_with("PK\x01\x02")) return std::nullopt;
    const std::size_t name_size = number(archive, at + 28, 2);
    if (end - at - directory_header_bytes < name_size) return std::nullopt;
    listing.truncated = listing.entries.size() >= entries_max;
    if (listing.truncated) break;
    listing.entries.push_back(entry_of_directory(archive, at, archive.substr(at + directory_header_bytes, name_size)));
    at += directory_header_bytes + name_size + number(archive, at + 30, 2) + number(archive, at + 32, 2);
  }
  if (at > end) return std::nullopt;
  listing.truncated = listing.truncated || is_doubtful(archive, end, at);
  return listing;
}

std::optional<Unzipped> unzip(std::string_view archive, const ZipEntry& entry, std::size_t bytes_max) {
  if (entry.encrypted || (entry.method != 0 && entry.method != 8)) return std::nullopt;
  const auto at = static_cast<std::size_t>(entry.offset);
  if (entry.offset > archive.size() || archive.size() - at < local_header_bytes || !archive.substr(at).starts_with("PK\x03\x04"))
    return std::nullopt;
  const std::size_t data = local_header_bytes + number(archive, at + 26, 2) + number(archive, at + 28, 2);
  if (archive.size() - at < data) return std::nullopt;
  std::string_view packed = archive.substr(at + data);
  if (entry.packed_bytes != 0) packed = packed.substr(0, static_cast<std::size_t>(entry.packed_bytes));
  Unzipped out;
  if (entry.method == 0) {
    const bool breaks_off = packed.size() < entry.packed_bytes;
    out.too_big = packed.size() > bytes_max;
    out.bytes = packed.substr(0, bytes_max);
    out.complete = !out.too_big && !breaks_off;
  } else {
    out = inflate(packed, Packing::deflate, bytes_max);
  }
  if (out.complete && entry.checksum != 0) out.complete = checksum_of(out.bytes) == entry.checksum;
  return out;
}

}  // namespace mailhold::scanning
