#include "platform/segments/record_format.h"

#include <algorithm>
#include <cstring>

#include "platform/segments/location.h"
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace mailhold::segments {
namespace {

constexpr std::uint32_t reversed_polynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ reversed_polynomial : value >> 1;
    table[byte] = value;
  }
  return table;
}

std::uint32_t update_by_table(std::uint32_t state, std::string_view bytes) {
  static constexpr auto table = make_table();
  for (const char c : bytes) state = table[(state ^ static_cast<unsigned char>(c)) & 0xff] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t update_by_instruction(std::uint32_t state, std::string_view bytes) {
  std::uint64_t wide = state;
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    wide = _mm_crc32_u64(wide, word);
    bytes.remove_prefix(8);
  }
  state = static_cast<std::uint32_t>(wide);
  for (const char c : bytes) state = _mm_crc32_u8(state, static_cast<unsigned char>(c));
  return state;
}
#endif

void put(char* place, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i, value >>= 8) place[i] = static_cast<char>(value & 0xff);
}

std::uint32_t place_checksum(std::uint64_t segment, std::uint64_t offset) {
  std::array<char, 16> place{};
  put(place.data(), segment, 8);
  put(place.data() + 8, offset, 8);
  return crc32c({place.data(), place.size()});
}

void put_fields(RecordHeader& header, std::uint16_t type, std::uint32_t length) {
  put(header.data(), record_magic, 4);
  put(header.data() + 4, type, 2);
  put(header.data() + 8, length, 4);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ~update_by_instruction(~seed, bytes);
#endif
  return ~update_by_table(~seed, bytes);
}

RecordHeader make_header(std::uint64_t segment, std::uint64_t offset, std::uint16_t type, std::string_view head,
                         std::string_view body) {
  RecordHeader header{};
  put_fields(header, type, static_cast<std::uint32_t>(head.size() + body.size()));
  const std::uint32_t checksum = crc32c(body, crc32c(head, crc32c({header.data(), 12}, place_checksum(segment, offset))));
  put(header.data() + 12, checksum, 4);
  return header;
}

HeaderCheck read_header(std::string_view bytes, HeaderFields& fields) {
  bytes = bytes.substr(0, record_header_bytes);
  if (std::ranges::all_of(bytes, [](char c) { return c == 0; })) return HeaderCheck::hole;
  ByteReader reader(bytes);
  const std::uint32_t magic = reader.u32();
  fields.type = reader.u16();
  const std::uint16_t reserved = reader.u16();
  fields.length = reader.u32();
  fields.checksum = reader.u32();
  const bool whole = reader.finish() && magic == record_magic && fields.type != 0 && reserved == 0;
  return whole ? HeaderCheck::record : HeaderCheck::broken;
}

bool checksum_holds(std::uint64_t segment, std::uint64_t offset, const HeaderFields& fields, std::string_view payload) {
  RecordHeader header{};
  put_fields(header, fields.type, fields.length);
  return crc32c(payload, crc32c({header.data(), 12}, place_checksum(segment, offset))) == fields.checksum;
}

}  // namespace mailhold::segments
