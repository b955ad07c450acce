// The report of a restore item by item, for restore.items: what became of each, or would in a dry run. Internal to this room.
#pragma once

#include <boost/json/object.hpp>

#include "features/recover/restore.h"

namespace mailhold::recover {

inline constexpr std::size_t items_shown_default = 100, items_shown_max = 1'000;
inline constexpr std::size_t items_shown_bytes_max = 4U << 20;  // of one answer, about

// A page of them in the report's order: {"items": [...], "after": the last one's id, if there are further ones}. `asked` may have
// `folder` (with what is below it), `outcome` (as name_of, with '-' for ' '), `after` (an item's id: those behind it) and
// `limit`. Dates, sizes, flags and ids; no contents. invalid_input says which of them does not read.
Result<boost::json::object> shown_items(const boost::json::object& asked, const RestoreReport& report);

}  // namespace mailhold::recover
