#include "formats/tlog/checkpoint.h"

#include "base/text.h"

namespace mailhold::tlog {
namespace {
Error not_a_checkpoint(const char* what) { return Error{ErrorKind::corrupt, std::string("checkpoint: ") + what}; }
}  // namespace

std::string Checkpoint::text() const {
  std::string text = origin + "\n" + std::to_string(size) + "\n" + to_base64(root.bytes()) + "\n";
  for (const std::string& extension : extensions) text += extension + "\n";
  return text;
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  if (!is_note_text(text)) return not_a_checkpoint("not plain lines");
  text.remove_suffix(1);
  const auto lines = split(text, '\n');
  if (lines.size() < 3) return not_a_checkpoint("too few lines");
  const auto size = to_number(lines[1]);
  if (!size || *size > INT64_MAX || std::to_string(*size) != lines[1]) return not_a_checkpoint("size is not a number");
  const auto root = from_base64(lines[2]);
  if (!root || root->size() != Hash::size) return not_a_checkpoint("root is not a hash");
  Checkpoint checkpoint{std::string(lines[0]), *size, Hash::from_bytes(*root), {}};
  for (std::size_t i = 3; i < lines.size(); ++i) checkpoint.extensions.emplace_back(lines[i]);
  if (checkpoint.origin.empty()) return not_a_checkpoint("origin is empty");
  for (const std::string& extension : checkpoint.extensions) {
    if (extension.empty()) return not_a_checkpoint("an extension line is empty");
  }
  return checkpoint;
}

Result<Checkpoint> open_checkpoint(std::string_view bytes, const NoteKey& key) {
  ASSIGN_OR_RETURN(SignedNote note, SignedNote::parse(bytes));
  RETURN_IF_ERROR(verify_note(note, key));
  ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::parse(note.text));
  if (checkpoint.origin != key.name) return not_a_checkpoint("of another log");
  return checkpoint;
}

}  // namespace mailhold::tlog
