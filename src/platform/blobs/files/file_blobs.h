// FileBlobs: objects as files, two levels of folders named for the first four characters.
// A new object is written beside its place, flushed, then linked in: a crash leaves no half object.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>

#include "platform/blobs/blob_store.h"

namespace mailhold::blobs {

class FileBlobs final : public BlobStore {
 public:
  // Makes the folder if needed and clears what a crash left unfinished. One process at a time may write.
  static Result<std::unique_ptr<BlobStore>> open(const std::filesystem::path& folder);

  Status put(std::string_view name, std::string_view bytes, const Deadline& deadline) override;
  Result<std::string> get(std::string_view name, const Deadline& deadline) override;
  Status remove(std::string_view name, const Deadline& deadline) override;
  Result<std::vector<std::string>> list(std::string_view prefix, const Deadline& deadline) override;

 private:
  explicit FileBlobs(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path place_of(std::string_view name) const;

  const std::filesystem::path folder_;
  std::atomic<std::uint64_t> serial_ = 0;
};

}  // namespace mailhold::blobs
