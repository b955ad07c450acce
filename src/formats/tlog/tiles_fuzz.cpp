// Paths, tiles and entry bundles from outside: whatever parses is written back byte for byte.
#include <cstdlib>

#include "formats/tlog/tiles.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  std::string bundle;
  for (const char* entry : {"first", "", "the third"}) mailhold::tlog::append_to_bundle(bundle, entry);
  return {"tile/0/x001/x234/067.p/8", "tile/entries/000", "\2" + bundle, "\1" + std::string(64, 'h')};
}

std::vector<std::string> fuzz_words() { return {"/", "x", "000", ".p/", "tile/", "entries"}; }

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold::tlog;
  const std::string_view input(bytes, count);
  if (const auto tile = parse_tile_path(input); tile && path_of(*tile) != input) std::abort();
  if (input.empty()) return 0;
  const unsigned width = static_cast<unsigned char>(input[0]) + 1U;
  const std::string_view rest = input.substr(1);
  (void)parse_tile(rest, width);
  if (const auto entries = parse_bundle(rest, width)) {
    std::string again;
    for (const auto entry : *entries) append_to_bundle(again, entry);
    if (again != rest) std::abort();
  }
  return 0;
}
