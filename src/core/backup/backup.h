// A consistent copy of the data folder while Mailhold runs, and its restoration. Needs root: every process owns its folder.
// One thread.
//
// Design: docs/formats/backup.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::backup {

struct Copied {
  std::string manifest_sha256;  // hex
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

// Called after each file, for progress.
using Progress = std::function<void(const Copied& so_far)>;

// Copies data into `target`, which must not exist; it is complete once its manifest is there. already_exists; not_found without
// data; unavailable for a full disk, or if the ledger changed faster than it could be copied.
Result<Copied> copy_data(const std::filesystem::path& data, const std::filesystem::path& target, Milliseconds now,
                         const Progress& progress, const Deadline& deadline);

// Who owns what lies below a folder of the data: "keystore" -> user and group.
struct Owner {
  unsigned user = 0;
  unsigned group = 0;
};
using OwnerOf = std::function<Result<Owner>(const std::string& folder)>;

struct RestoreFrom {
  std::filesystem::path backup{};
  // A newer backup of the same region, whole: of `backup` then come only those objects of the stores that this one has not.
  std::optional<std::filesystem::path> keys_from{};
};

// Checks the whole backup first (both, if there are two): corrupt names the file that is missing, changed or too many. Then
// copies it into `data`, which must be empty or missing (already_exists). denied if the keys were pruned or are older than 35
// days.
Result<Copied> restore_data(const RestoreFrom& from, const std::filesystem::path& data, Milliseconds now, const OwnerOf& owner_of,
                            const Progress& progress, const Deadline& deadline);

}  // namespace mailhold::backup
