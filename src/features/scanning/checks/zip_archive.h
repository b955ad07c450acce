// The entries of a zip archive, as the central directory lists them and as the local headers do: programs trust
// either, so both count (APPNOTE.TXT 4.3). Bounded; never fails, lists what can be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "features/scanning/checks/inflate.h"

namespace mailhold::scanning {

struct ZipEntry {
  std::string name;
  std::uint64_t packed_bytes = 0;  // 0 in a local header with a descriptor behind the data
  std::uint64_t offset = 0;        // of the local header
  std::uint32_t checksum = 0;      // CRC-32 of what is unpacked; 0: not known
  std::uint16_t method = 0;
  bool encrypted = false;
};

struct ZipListing {
  std::vector<ZipEntry> entries;
  bool truncated = false;     // there are more than are listed: than entries_max, or with names of more than 4 KiB
  bool two_listings = false;  // the directory and the local headers name different files
};

ZipListing list_zip(std::string_view archive, std::size_t entries_max);

// The entries that the directory at the archive's end lists, and no others: what a program that unpacks it shows. An archive that
// is stored inside of this one adds none. Nothing: there is no directory, or it is damaged. Truncated also where programs may
// show others: it has more entries than its count or its size say, or there are two ends.
std::optional<ZipListing> list_zip_directory(std::string_view archive, std::size_t entries_max);

// Nothing for methods other than stored and deflated, and for encrypted entries. Not complete where the checksum is another.
std::optional<Unzipped> unzip(std::string_view archive, const ZipEntry& entry, std::size_t bytes_max);

}  // namespace mailhold::scanning
