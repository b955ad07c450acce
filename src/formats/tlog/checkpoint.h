// Checkpoints (C2SP tlog-checkpoint): the text in which a log states its size and root,
// carried by a signed note.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tlog/merkle.h"
#include "formats/tlog/note.h"

namespace mailhold::tlog {

struct Checkpoint {
  std::string origin;  // one line, not empty
  std::uint64_t size = 0;
  Hash root;
  std::vector<std::string> extensions;  // further lines, opaque

  std::string text() const;
  static Result<Checkpoint> parse(std::string_view text);  // corrupt unless it is exactly a checkpoint
};

// The checkpoint of a note that this key signed. The key's name must be the origin. corrupt or denied as verify_note.
Result<Checkpoint> open_checkpoint(std::string_view note, const NoteKey& key);

}  // namespace mailhold::tlog
