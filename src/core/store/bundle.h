// Bundle: the contents of several small messages in one object, so that they share one seal, one key, one place and what repeats
// in them. A message alone would cost about 420 bytes beside its content. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace mailhold::store {

inline constexpr std::size_t bundle_messages_most = 64;              // whatever the settings say
inline constexpr std::size_t bundled_message_bytes_max = 32U << 10;  // of its content; a larger one is an object of its own
inline constexpr std::size_t bundle_bytes_max = 128U << 10;          // of the bundle's content

// What a message adds to the content of a bundle, and what a bundle has beside its messages.
constexpr std::size_t bundled_size(std::size_t content_bytes) { return 4 + content_bytes; }
inline constexpr std::size_t bundle_head_size = 1;

// Of at most bundle_messages_most contents.
std::string encode_bundle(const std::vector<std::string_view>& contents);
// The contents in their order. corrupt unless there are exactly `count` and nothing else.
Result<std::vector<std::string>> parse_bundle(std::string_view bytes, std::size_t count);

// The ids of a bundle's messages as they stand in its head, joined; and back.
std::string join_ids(const std::vector<Id>& messages);
std::vector<Id> split_ids(std::string_view joined);

}  // namespace mailhold::store
