// What comes over the net to a witness and back from one: request bodies against a witness in memory of one log, answers, URLs.
#include <stdlib.h>

#include <cstdlib>

#include "core/witness/witness.h"
#include "core/witness/witness_client.h"
#include "fuzz_seeds.h"

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

std::vector<std::string> fuzz_seeds() {
  return {std::string(1, '\3') + "old 0\n\nexample.com/log\n5\n" + std::string(43, 'A') +
              "=\n\n\xe2\x80\x94 example.com/log AAAAAAA=\n",
          "\1HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\n17\n", "\1HTTP/1.1 200 OK\r\n\r\n\xe2\x80\x94 w AAAAAAAA\n",
          "\2https://witness.example:443/prefix/", "\2http://[::1]:8090"};
}

std::vector<std::string> fuzz_words() { return {"\r\n", "\n", ":", ":0", "/", "[", "]", "0", "@", "old "}; }

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
