// Archives as they come with mail: ZIP, tar, and gzip, which packs one file. Listed at once, unpacked one member at a time, in
// memory and bounded. A name is text: no member becomes a file, and links lead nowhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "features/scanning/checks/zip_archive.h"

namespace mailhold::scanning {

enum class ArchiveKind : std::uint8_t { none, zip, tar, gzip, other };  // other: 7z, RAR, bzip2, xz, Zstandard

ArchiveKind archive_kind_of(std::string_view bytes);  // by its first bytes

struct ArchiveMember {
  std::string name;              // UTF-8
  std::size_t packed_bytes = 0;  // what it takes of the archive
  ZipEntry entry{};              // of ZIP
  std::size_t begin = 0;         // of the others
};

class Archive {
 public:
  // Lists at most so many members; folders are none. The bytes outlive it.
  static Archive open(std::string_view bytes, std::size_t members_max);

  const std::vector<ArchiveMember>& members() const { return members_; }
  std::string_view bytes() const { return bytes_; }
  bool is_whole() const { return is_whole_; }  // false: it is damaged, or there are more

  // Nothing: it is encrypted, or packed in a way that is not read.
  std::optional<Unzipped> unpack(const ArchiveMember& member, std::size_t bytes_max) const;

 private:
  explicit Archive(std::string_view bytes) : bytes_(bytes), kind_(archive_kind_of(bytes)) {}
  void list_zip_members(std::size_t members_max);
  void list_tar_members(std::size_t members_max);
  void list_gzip_member(std::size_t members_max);

  std::string_view bytes_;
  ArchiveKind kind_;
  std::vector<ArchiveMember> members_;
  bool is_whole_ = false;
};

}  // namespace mailhold::scanning
