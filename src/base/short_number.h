// Numbers that are mostly small, in as few bytes as they take: 7 bits a byte, the lowest first; the highest bit of a byte says
// that another follows. At most 10 bytes. Each number is written in one way only.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace mailhold {

void write_short_number(ByteWriter& writer, std::uint64_t number);
// 0 with the reader failed where no such number is: too short, above 64 bits, or written longer than it needs.
std::uint64_t read_short_number(ByteReader& reader);

}  // namespace mailhold
