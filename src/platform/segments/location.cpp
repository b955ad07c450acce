#include "platform/segments/location.h"

#include "base/text.h"
#include "platform/segments/record_format.h"

namespace mailhold::segments {

Position Location::end() const { return {segment, offset + record_bytes(length)}; }

std::string segment_file_name(std::uint64_t number) { return to_hex(ByteWriter().u64(number).view()) + ".seg"; }

}  // namespace mailhold::segments
