#include "features/scanning/documents/archive.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "features/scanning/documents/little_endian.h"
#include "formats/mime/text.h"

namespace mailhold::scanning {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t name_bytes_max = 1024;
constexpr std::size_t tar_block_bytes = 512;
constexpr std::size_t magic_at = 257;

// Programs write UTF-8, or what their system had before: PC-DOS for ZIP, Latin-1 for the others.
std::string name_of(std::string_view bytes, std::string_view other_charset) {
  bytes = bytes.substr(0, name_bytes_max);
  return is_utf8(bytes) ? std::string(bytes) : mime::to_utf8(bytes, other_charset, 4 * name_bytes_max);
}

std::string_view until_zero(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

// A number of a header of tar: octal digits, with blanks or a zero behind.
std::optional<std::size_t> octal_of(std::string_view field) {
  std::size_t value = 0;
  field = trim(until_zero(field));
  for (const char digit : field) {
    if (digit < '0' || digit > '7' || value > std::size_t{1} << 40U) return std::nullopt;
    value = value * 8 + static_cast<std::size_t>(digit - '0');
  }
  return value;
}

// Its field counts as blanks.
bool has_its_checksum(std::string_view header) {
  constexpr std::size_t checksum_at = 148, checksum_bytes = 8;
  std::size_t sum = checksum_bytes * ' ';
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (i < checksum_at || i >= checksum_at + checksum_bytes) sum += static_cast<unsigned char>(header[i]);
  }
  return octal_of(header.substr(checksum_at, checksum_bytes)) == sum;
}

std::string name_in_header(std::string_view header) {
  const std::string_view name = until_zero(header.substr(0, 100)), folder = until_zero(header.substr(345, 155));
  const bool has_folder = header.substr(magic_at, 6) == "ustar\0"sv && !folder.empty();
  return has_folder ? std::string(folder) + '/' + std::string(name) : std::string(name);
}

// Lines as "18 path=a/b.txt": their length, a word and its value.
std::string path_of_extension(std::string_view lines) {
  constexpr std::string_view path = "path=";
  while (!lines.empty()) {
    const std::size_t blank = lines.find(' ');
    const std::size_t length = to_number(lines.substr(0, std::min(blank, lines.size()))).value_or(0);
    if (length <= blank + 1 || length > lines.size()) return {};
    const std::string_view line = lines.substr(blank + 1, length - blank - 2);
    if (line.starts_with(path)) return std::string(line.substr(path.size()));
    lines.remove_prefix(length);
  }
  return {};
}

}  // namespace

ArchiveKind archive_kind_of(std::string_view bytes) {
  constexpr std::string_view others[] = {"7z\xBC\xAF\x27\x1C"sv, "Rar!\x1A\x07"sv, "BZh"sv, "\xFD\x37zXZ\0"sv,
                                         "\x28\xB5\x2F\xFD"sv};
  if (bytes.starts_with("PK\x03\x04")) return ArchiveKind::zip;
  if (bytes.starts_with("\x1F\x8B\x08")) return ArchiveKind::gzip;
  if (piece_of(bytes, magic_at, 5) == "ustar"sv) return ArchiveKind::tar;
  const bool is_other =
      std::any_of(std::begin(others), std::end(others), [&](std::string_view begin) { return bytes.starts_with(begin); });
  return is_other ? ArchiveKind::other : ArchiveKind::none;
}

Archive Archive::open(std::string_view bytes, std::size_t members_max) {
  Archive archive(bytes);
  switch (archive.kind_) {
    case ArchiveKind::zip: archive.list_zip_members(members_max); break;
    case ArchiveKind::tar: archive.list_tar_members(members_max); break;
    case ArchiveKind::gzip: archive.list_gzip_member(members_max); break;
    case ArchiveKind::other:
    case ArchiveKind::none: break;
  }
  return archive;
}

// Without a directory it was cut off, and what is found is not all.
void Archive::list_zip_members(std::size_t members_max) {
  std::optional<ZipListing> directory = list_zip_directory(bytes_, members_max);
  const bool has_directory = directory.has_value();
  ZipListing listing = has_directory ? std::move(*directory) : list_zip(bytes_, members_max);
  is_whole_ = has_directory && !listing.truncated;
  for (ZipEntry& entry : listing.entries) {
    if (entry.name.ends_with('/') || entry.name.ends_with('\\')) continue;
    const auto packed_bytes = static_cast<std::size_t>(entry.packed_bytes);
    members_.push_back({name_of(entry.name, "cp437"), packed_bytes, std::move(entry)});
  }
}

void Archive::list_tar_members(std::size_t members_max) {
  std::string long_name;
  for (std::size_t at = 0; const auto header = piece_of(bytes_, at, tar_block_bytes);) {
    if (header->find_first_not_of('\0') == std::string_view::npos) {
      is_whole_ = true;
      return;
    }
    const std::optional<std::size_t> size = octal_of(header->substr(124, 12));
    at += tar_block_bytes;
    if (!has_its_checksum(*header) || !size || !piece_of(bytes_, at, *size) || members_.size() >= members_max) return;
    const std::string_view content = bytes_.substr(at, *size);
    switch ((*header)[156]) {
      case 'L': long_name = until_zero(content.substr(0, name_bytes_max)); break;
      case 'x': long_name = path_of_extension(content); break;
      case 'K':
      case 'g':
      case '5': break;
      default:
        const std::string name = long_name.empty() ? name_in_header(*header) : long_name;
        if (!name.ends_with('/')) members_.push_back({name_of(name, "windows-1252"), *size, {}, at});
        long_name.clear();
    }
    at += (*size + tar_block_bytes - 1) / tar_block_bytes * tar_block_bytes;
  }
}

// Whether it opens to its end is seen when it is unpacked. Its name, if it has one, stands behind further fields.
void Archive::list_gzip_member(std::size_t members_max) {
  if (members_max == 0) return;
  constexpr unsigned with_extra = 4, with_name = 8;
  const std::uint32_t flags = little_endian(bytes_, 3, 1);
  std::size_t at = 10;
  if ((flags & with_extra) != 0) at += 2 + little_endian(bytes_, at, 2);
  const bool has_name = (flags & with_name) != 0 && at < bytes_.size();
  members_.push_back({has_name ? name_of(until_zero(bytes_.substr(at)), "windows-1252") : "", bytes_.size()});
  is_whole_ = true;
}

std::optional<Unzipped> Archive::unpack(const ArchiveMember& member, std::size_t bytes_max) const {
  if (kind_ == ArchiveKind::gzip) return inflate(bytes_, Packing::gzip, bytes_max);
  if (kind_ == ArchiveKind::zip) {
    constexpr std::uint16_t not_packed = 0;
    if (member.packed_bytes == 0 && member.entry.method == not_packed && !member.entry.encrypted) return Unzipped{"", true};
    return unzip(bytes_, member.entry, bytes_max);
  }
  const bool too_big = member.packed_bytes > bytes_max;
  return Unzipped{std::string(bytes_.substr(member.begin, std::min(member.packed_bytes, bytes_max))), !too_big, too_big};
}

}  // namespace mailhold::scanning
