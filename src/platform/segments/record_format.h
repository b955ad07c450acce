// The bytes of a record around its payload. Internal to this room.
//
// Design: docs/formats/segments.md
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mailhold::segments {

inline constexpr std::size_t record_header_bytes = 16;
inline constexpr std::uint32_t record_magic = 0x4d485231;  // "MHR1"

using RecordHeader = std::array<char, record_header_bytes>;

struct HeaderFields {
  std::uint16_t type = 0;
  std::uint32_t length = 0;
  std::uint32_t checksum = 0;
};

// CRC-32C (Castagnoli), going on from `seed`: crc32c(b, crc32c(a)) == crc32c(a + b).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

RecordHeader make_header(std::uint64_t segment, std::uint64_t offset, std::uint16_t type, std::string_view head,
                         std::string_view body);

enum class HeaderCheck { record, hole, broken };
// Looks at the header alone; `bytes` holds at least record_header_bytes.
HeaderCheck read_header(std::string_view bytes, HeaderFields& fields);

bool checksum_holds(std::uint64_t segment, std::uint64_t offset, const HeaderFields& fields, std::string_view payload);

// Header, payload and padding.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) { return (record_header_bytes + payload_bytes + 7) / 8 * 8; }

}  // namespace mailhold::segments
