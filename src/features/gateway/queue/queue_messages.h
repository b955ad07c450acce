// What gatewayd in tells gatewayd out: how far the spool is durable. A hint: when it is lost, the spool is read all the same,
// a moment later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "platform/segments/location.h"

namespace mailhold::queue {

enum class Method : std::uint16_t {
  spooled = 1,  // u64 segment, u64 offset -> (); from gatewayd-in only
};

inline std::string encode_spooled(segments::Position durable_to) {
  return ByteWriter().u64(durable_to.segment).u64(durable_to.offset).take();
}

inline Result<segments::Position> parse_spooled(std::string_view bytes) {
  ByteReader reader(bytes);
  segments::Position position;
  position.segment = reader.u64();
  position.offset = reader.u64();
  RETURN_IF_ERROR(reader.finish());
  return position;
}

}  // namespace mailhold::queue
