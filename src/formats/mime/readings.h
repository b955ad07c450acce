// readings: the contents of the leaves of a message, decoded as its fields say and, where software differs, in every
// other way known. Content checks run over all of them, so that what any reader would see has been looked at.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "formats/mime/message.h"

namespace mailhold::mime {

enum class ReadingKind : std::uint8_t {
  primary,    // once for each leaf: what its fields say
  alternate,  // another decoding of the same leaf
  embedded,   // a uuencoded file inside a text; `name` is its name
  nested,     // a leaf of a message that is itself encoded
  sweep,      // base64 found outside the structure, or at odds with it
};

struct Reading {
  ReadingKind kind = ReadingKind::primary;
  std::size_t part = 0;
  std::string_view bytes;  // valid during the call only
  std::string_view name;   // embedded only
};

struct ReadingLimits {
  std::size_t decoded_bytes_max = 128u << 20;  // over all readings
};

// Calls `take` for each reading and adds what is odd about bodies to message.oddities. False when a limit ended it early.
bool visit_readings(std::string_view bytes, Message& message, const ReadingLimits& limits,
                    const std::function<void(const Reading&)>& take);

}  // namespace mailhold::mime
