// WritableSegment: one preallocated file that is being written. Internal to this room; one thread at a time.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/result.h"

namespace mailhold::segments {

class WritableSegment {
 public:
  // The file, its space and its name are durable on return. unavailable when the disk is full or failing,
  // already_exists when there is such a segment. Leaves no file behind when it fails.
  static Result<std::unique_ptr<WritableSegment>> create(const std::filesystem::path& folder, std::uint64_t number,
                                                         std::uint64_t bytes, mode_t mode);
  ~WritableSegment();  // cuts the file to what was flushed
  WritableSegment(const WritableSegment&) = delete;
  WritableSegment& operator=(const WritableSegment&) = delete;

  // Makes room for at least so many bytes in all, durably.
  Status reserve(std::uint64_t bytes);
  // Writes behind what was written, then makes it all durable. After a failure the object must not be used again.
  Status write(std::vector<iovec> pieces);
  Status flush();

  std::uint64_t number() const { return number_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t written() const { return written_; }

 private:
  WritableSegment(int file, std::uint64_t number) : file_(file), number_(number) {}
  const int file_;
  const std::uint64_t number_;
  std::uint64_t bytes_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t flushed_ = 0;
};

}  // namespace mailhold::segments
