// Fuzzer of manifests: what parses gives itself back when written and read again, and no path leads out of the folder.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/backup/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const auto parsed = backup::parse_manifest(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed) return 0;
  const auto again = backup::parse_manifest(backup::write_manifest(*parsed));
  if (!again || again->files != parsed->files || again->made_at != parsed->made_at) std::abort();
  for (const auto& file : parsed->files) {
    if (file.path.starts_with('/') || file.path.find("..") == 0 || file.path.find("/../") != std::string::npos) std::abort();
  }
  return 0;
}
