#include "base/short_number.h"

namespace mailhold {
namespace {

std::uint64_t fail(ByteReader& reader) {
  reader.raw(std::string_view::npos);  // more than there can be
  return 0;
}

}  // namespace

void write_short_number(ByteWriter& writer, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) writer.u8(static_cast<std::uint8_t>(number | 0x80));
  writer.u8(static_cast<std::uint8_t>(number));
}

std::uint64_t read_short_number(ByteReader& reader) {
  std::uint64_t number = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = reader.u8();
    const auto bits = static_cast<std::uint64_t>(byte & 0x7F);
    if (shift == 63 && bits > 1) return fail(reader);
    number |= bits << shift;
    if (byte >= 0x80) continue;
    return byte == 0 && shift > 0 ? fail(reader) : number;
  }
  return fail(reader);
}

}  // namespace mailhold
