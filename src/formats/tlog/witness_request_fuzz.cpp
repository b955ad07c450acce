// What a witness is sent, and the cosignatures a log gets back: whatever parses is written back byte for byte.
#include <cstdlib>

#include "formats/tlog/cosignature.h"
#include "formats/tlog/witness_request.h"

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold::tlog;
  const std::string_view input(bytes, count);
  if (const auto request = WitnessRequest::parse(input); request && request->encode() != input) std::abort();
  if (const auto signatures = parse_signatures(input)) {
    std::string again;
    for (const NoteSignature& signature : *signatures) again += encode(signature);
    if (again != input) std::abort();
    SignedNote note{"example.com/log\n1\nAAAA\n", *signatures};
    if (verify_cosignature(note, {note.signatures[0].name, std::string(32, 'k')})) std::abort();  // nobody has this key
  }
  if (const auto key = CosignerKey::parse(input); key && key->text() != input) std::abort();
  return 0;
}
