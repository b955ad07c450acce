// The dictionary with which small contents are compressed: text of our own, never of anybody's mail. What was kept with it opens
// only with these very bytes: they never change. A better one is another one, with a compression of its own.
// Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <string_view>

namespace mailhold::store {

std::string_view mail_dictionary();

}  // namespace mailhold::store
