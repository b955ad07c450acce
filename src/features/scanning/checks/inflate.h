// What zlib unpacks of foreign bytes, bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailhold::scanning {

struct Unzipped {
  std::string bytes;
  bool complete = false;  // false: cut at the limit, or the data is corrupt
  bool too_big = false;
};

enum class Packing : std::uint8_t { deflate, gzip };

// One stream, whatever stands behind it; of gzip, all that follow each other.
Unzipped inflate(std::string_view packed, Packing packing, std::size_t bytes_max);

std::uint32_t checksum_of(std::string_view bytes);  // CRC-32, as ZIP has it

}  // namespace mailhold::scanning
