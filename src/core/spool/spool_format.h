// The records of the spool. Internal to this room.
//
// Design: docs/formats/spool.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "formats/sealed/context.h"

namespace mailhold::spool {

inline constexpr std::uint16_t type_hour_key = 1;
inline constexpr std::uint16_t type_item = 2;
inline constexpr std::uint32_t hour_key_version = 1;

struct KeyRecord {
  Id key_id;
  Id tenant;
  std::uint32_t hour = 0;
  std::uint32_t spool_key_version = 0;
  std::string_view box;
};
std::string encode(const KeyRecord& record);
Result<KeyRecord> parse_key_record(std::string_view payload);  // corrupt; the box is a view into the payload

struct ItemRecord {
  Id message;
  Id tenant;
  Milliseconds accepted_at = 0;
  Id key_id;
  std::string_view row;
};
std::string encode_without_row(const ItemRecord& record);
Result<ItemRecord> parse_item_record(std::string_view payload);  // corrupt; the row is a view into the payload

sealed::Context box_context(const std::string& region, const KeyRecord& record);
sealed::Context item_context(const std::string& region, const ItemRecord& record);

}  // namespace mailhold::spool
