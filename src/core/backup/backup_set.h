// One backup on its medium: its manifest, and which of its files are copies of keys. Internal to this room.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/backup/manifest.h"

namespace mailhold::backup {

inline constexpr const char* manifest_name = "MANIFEST";
inline constexpr const char* pruned_name = "PRUNED";  // its keys are gone, or are about to

struct BackupSet {
  std::filesystem::path folder{};
  Manifest manifest{};
  std::string manifest_sha256{};  // hex
  bool is_pruned = false;
};

// not_found without a manifest: it is none, or was interrupted. corrupt.
Result<BackupSet> open_set(const std::filesystem::path& folder);

// What opens, with a seal of the region, what was shredded since: the keystore, and the wraps of the stores.
bool is_of_keys(std::string_view path);
// What a store keeps beside its wraps; without them nothing opens it.
bool is_object(std::string_view path);

}  // namespace mailhold::backup
