// How long copies of keys live on the medium of backups: at most 35 days, so that what was shredded is gone there too. Pruning
// takes the keystore and the wraps of the stores from older backups; what is left of them opens nothing, and can be restored
// beside the keys of a newer one. One thread.
//
// Design: docs/formats/backup.md, "Keys in backups"
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mailhold::backup {

inline constexpr Milliseconds milliseconds_in_day = 86'400'000;
inline constexpr Milliseconds key_copies_life = 35 * milliseconds_in_day;

struct Pruned {
  std::vector<std::string> backups{};   // whose keys were deleted, by the names of their folders
  std::vector<std::string> problems{};  // what has to be looked at by somebody: each one sentence
};

// Deletes the keys of all backups directly below `folder` that are older than `life`, which is at most key_copies_life. The
// newest backup that has its keys keeps them, so that there is a way back; but if that one is older than key_copies_life itself,
// nothing is deleted and the answer is denied: make a backup first. Folders that are no backups stay as they are. A kill at any
// moment leaves a backup that is pruned, whole or with the rest to be done by the next call. not_found without the folder.
Result<Pruned> prune_keys(const std::filesystem::path& folder, Milliseconds now, Milliseconds life = key_copies_life);

}  // namespace mailhold::backup
