// Signed notes and checkpoints from outside: whatever parses is written back byte for byte.
#include <cstdlib>

#include "formats/tlog/checkpoint.h"

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
