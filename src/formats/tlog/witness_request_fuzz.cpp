// What a witness is sent, and the cosignatures a log gets back: whatever parses is written back byte for byte.
#include <cstdlib>

#include "formats/tlog/cosignature.h"
#include "formats/tlog/witness_request.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold::tlog;
  const CosignerKey key{"witness.example/w1", std::string(32, 'k')};
  return {WitnessRequest{5, {hash_leaf("leaf")}, "example.com/log\n7\nAAAA\n\n\xe2\x80\x94 a AAAAAAAA\n"}.encode(),
          encode(NoteSignature{key.name, key.id(), std::string(72, 's')}), key.text()};
}

std::vector<std::string> fuzz_words() { return {"\n", "\n\n", "0", "old ", "+", "=", "\xe2\x80\x94 "}; }

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
