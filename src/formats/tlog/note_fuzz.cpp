// Signed notes and checkpoints from outside: whatever parses is written back byte for byte.
#include <cstdlib>

#include "formats/tlog/checkpoint.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold::tlog;
  const Checkpoint checkpoint{"example.com/foo", 7, hash_leaf("leaf"), {"extension"}};
  const NoteKey key{"example.com/foo", std::string(32, 'k')};
  const SignedNote note{checkpoint.text(), {{key.name, key.id(), std::string(64, 's')}, {"other", 1, "x"}}};
  return {note.encode(), checkpoint.text(), key.text()};
}

std::vector<std::string> fuzz_words() { return {"\n", "\n\n", "\xe2\x80\x94 ", "+", " ", "="}; }

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold::tlog;
  const std::string_view input(bytes, count);
  if (const auto note = SignedNote::parse(input)) {
    if (note->encode() != input) std::abort();
    (void)verify_note(*note, {"example.com/foo", std::string(32, 'k')});
    if (const auto checkpoint = Checkpoint::parse(note->text); checkpoint && checkpoint->text() != note->text) std::abort();
  }
  if (const auto checkpoint = Checkpoint::parse(input); checkpoint && checkpoint->text() != input) std::abort();
  if (const auto key = NoteKey::parse(input); key && key->text() != input) std::abort();
  return 0;
}
