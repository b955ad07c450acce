// The list of what a backup holds, one line a file. Internal to this room, but for its fuzzer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mailhold::backup {

struct ManifestFile {
  std::string path{};    // below the data folder, '/' between names
  std::string sha256{};  // hex
  std::uint64_t size = 0;
  unsigned mode = 0600;
  friend bool operator==(const ManifestFile&, const ManifestFile&) = default;
};

struct Manifest {
  Milliseconds made_at = 0;
  std::vector<ManifestFile> files{};
};

std::string write_manifest(const Manifest& manifest);
// corrupt, with the number of the line; a path that would lead out of the folder is refused.
Result<Manifest> parse_manifest(std::string_view text);

}  // namespace mailhold::backup
