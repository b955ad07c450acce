// Bundle: several small messages in one object, so that they share one seal, one key and one place. A message alone would cost
// about 420 bytes beside its content. Each is compressed by itself, never beside another. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "core/store/recipe.h"
#include "core/store/stored_object.h"

namespace mailhold::store {

inline constexpr std::size_t bundle_messages_most = 64;              // whatever the settings say
inline constexpr std::size_t bundled_message_bytes_max = 32U << 10;  // of its content; a larger one is an object of its own
inline constexpr std::size_t bundle_bytes_max = 128U << 10;          // of all of them in their stored form

// Of one content or of several, each as Packing::compress gives it: what is sealed.
std::string encode_bundle(const std::vector<std::string_view>& stored);
// The stored forms in their order, for unpack(). corrupt unless there are exactly `count` with nothing but padding behind them;
// limit_exceeded.
Result<std::vector<std::string>> parse_bundle(std::string_view bytes, std::size_t count);

// Of a damaged one, of these messages: the stored forms that are whole, and an empty one for each that is not. Where one ends is
// known from its beginning; what lies behind a lost beginning is looked for at every byte, which may be within somebody's mail:
// it counts where `is_content_of` says so, without which it is lost. Errors are is_content_of's.
using IsContentOf = std::function<Result<bool>(Id message, const Recipe& recipe)>;
Result<std::vector<std::string>> parse_remains(const sealed::Remains& remains, const std::vector<Id>& messages,
                                               const IsContentOf& is_content_of);

// The ids of a bundle's messages as they stand in its head, joined; and back.
std::string join_ids(const std::vector<Id>& messages);
std::vector<Id> split_ids(std::string_view joined);

}  // namespace mailhold::store
