// Cutting a message into inline text and the body parts that may be shared. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/store/known_bodies.h"
#include "core/store/message_store.h"
#include "core/store/recipe.h"

namespace mailhold::store {

class CutPart {
 public:
  CutPart(std::size_t piece, std::string_view body) : piece(piece), body_(body) {}
  CutPart(std::size_t piece, std::string_view body, std::string decoded);
  CutPart(std::size_t piece, std::string_view body, const KnownBody& known);

  std::size_t piece;  // its place in the recipe, which does not know the part's id yet
  const std::string& sha256();
  // Decodes a body that was known.
  std::string_view bytes();

 private:
  std::string_view body_;  // a view into the message
  bool is_base64_ = false;
  std::string decoded_;  // of base64, if it is not empty
  std::string sha256_;   // of the bytes, if it is not empty
};

struct CutMessage {
  Recipe recipe;
  std::vector<CutPart> parts;
};

// Views live as long as message.bytes.
CutMessage cut(const NewMessage& message, std::uint64_t shared_part_bytes_min, KnownBodies& known);

}  // namespace mailhold::store
