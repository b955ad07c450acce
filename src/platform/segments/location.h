// Location: where a record lies in a folder of segments. Numbers rise in the order of writing and
// are never given twice, so that a Location never names two records.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace mailhold::segments {

// A place between two records. {0, 0} lies before everything.
struct Position {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Location {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;  // of the record's header, a multiple of 8
  std::uint32_t length = 0;  // of the payload
  std::uint64_t synced_to =
      0;  // the bytes of this segment that were durable when the record was acknowledged; 0 if found by reading
  Position position() const { return {segment, offset}; }
  Position end() const;  // behind the record and its padding
};

std::string segment_file_name(std::uint64_t number);  // 16 hex digits and ".seg"

}  // namespace mailhold::segments
