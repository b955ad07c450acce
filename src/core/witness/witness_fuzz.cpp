// What comes over the net to a witness and back from one: request bodies against a witness in memory of one log, answers, URLs.
#include <stdlib.h>

#include <cstdlib>

#include "core/witness/witness.h"
#include "core/witness/witness_client.h"

namespace {

using namespace mailhold;

witness::Witness& fuzzed_witness() {
  static const auto made = [] {
    std::string folder = "/tmp/mailhold-witness-fuzz-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    witness::WitnessSettings settings{folder, "witness.example/w1", {{"example.com/log", std::string(32, 'k')}}};
    auto opened = witness::Witness::open(settings, *crypto::Ed25519Signer::from_seed(std::string(32, 'w')));
    if (!opened) std::abort();
    return std::move(*opened);
  }();
  return *made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  if (count == 0) return 0;
  const std::string_view input(bytes + 1, count - 1);
  switch (bytes[0] % 3) {
    case 0:
      if (fuzzed_witness().add_checkpoint(input).status == 200) std::abort();  // nobody has the log's key
      break;
    case 1: (void)witness::parse_reply(input); break;
    default:
      if (const auto url = witness::WitnessUrl::parse(input); url && (url->port == 0 || !url->path.starts_with('/')))
        std::abort();
  }
  return 0;
}
