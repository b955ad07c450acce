// Cutting a message into inline text and the body parts that may be shared. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/store/message_store.h"
#include "core/store/recipe.h"

namespace mailhold::store {

struct CutPart {
  std::size_t piece = 0;   // its place in the recipe, which does not know the part's id yet
  std::string decoded;     // of a base64 body
  std::string_view plain;  // of any other: a view into the message
  std::string_view bytes() const { return decoded.empty() ? plain : std::string_view(decoded); }
};

struct CutMessage {
  Recipe recipe;
  std::vector<CutPart> parts;
};

// Views live as long as message.bytes.
CutMessage cut(const NewMessage& message, std::uint64_t shared_part_bytes_min);

}  // namespace mailhold::store
