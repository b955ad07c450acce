// LogStorage: the files of the log, as far as writing goes. A seam, so that tests can count and
// break what a disk does. A failed call may leave anything behind: the log then stops for good.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace mailhold::ledger {

class JournalFile {
 public:
  virtual ~JournalFile() = default;
  virtual Status append(std::string_view bytes) = 0;
  virtual Status sync() = 0;  // fdatasync; never called again after it failed
  // The path still leads to this very file, and nobody else has written to it.
  virtual Status check_in_place() = 0;
};

class LogStorage {
 public:
  virtual ~LogStorage() = default;
  virtual Result<std::unique_ptr<JournalFile>> create_journal(const std::filesystem::path& path) = 0;  // durable name
  // Replaces or makes the file and the folders above it; not durable before sync_all.
  virtual Status write_file(const std::filesystem::path& path, std::string_view bytes) = 0;
  virtual Status sync_all(const std::filesystem::path& folder) = 0;  // syncfs: all that was written to its file system
  virtual Status sync_folder(const std::filesystem::path& folder) = 0;
  // Moves what follows `keep_bytes` to the end of `evidence`. Durable when it returns.
  virtual Status cut_file(const std::filesystem::path& path, std::uint64_t keep_bytes, const std::filesystem::path& evidence) = 0;
};

LogStorage& disk_storage();

}  // namespace mailhold::ledger
