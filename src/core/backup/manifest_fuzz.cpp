// Fuzzer of manifests: what parses gives itself back when written and read again, and no path leads out of the folder.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/backup/manifest.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {mailhold::backup::write_manifest(
      {1000, {{"keystore/keys.db", std::string(64, 'a'), 4096, 0600}, {"a/b", std::string(64, '0'), 0, 0644}}})};
}

std::vector<std::string> fuzz_words() { return {"../", "./", "/", " ", "\n", ".."}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const auto parsed = backup::parse_manifest(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed) return 0;
  const auto again = backup::parse_manifest(backup::write_manifest(*parsed));
  if (!again || again->files != parsed->files || again->made_at != parsed->made_at) std::abort();
  for (const auto& file : parsed->files) {
    if (("/" + file.path + "/").find("/../") != std::string::npos || file.path.starts_with('/')) std::abort();
  }
  return 0;
}
