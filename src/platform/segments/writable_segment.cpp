#include "platform/segments/writable_segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "platform/segments/location.h"

namespace mailhold::segments {
namespace {

Error disk_error(const char* attempt, int code, std::uint64_t number) {
  return Error{code == EEXIST ? ErrorKind::already_exists : ErrorKind::unavailable,
               std::string(attempt) + " segment " + segment_file_name(number) + ": " + std::strerror(code)};
}

// Zero, or the error.
int flush_folder(const std::filesystem::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  const int code = ::fsync(file) == 0 ? 0 : errno;
  ::close(file);
  return code;
}

}  // namespace

Result<std::unique_ptr<WritableSegment>> WritableSegment::create(const std::filesystem::path& folder, std::uint64_t number,
                                                                 std::uint64_t bytes, mode_t mode) {
  const std::filesystem::path path = folder / segment_file_name(number);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return disk_error("creating", errno, number);
  std::unique_ptr<WritableSegment> segment(new WritableSegment(file, number));
  Status ready = ::fchmod(file, mode) == 0 ? done() : Status(disk_error("setting the mode of", errno, number));
  if (ready) ready = segment->reserve(bytes);
  if (ready) {
    if (const int code = flush_folder(folder); code != 0) ready = disk_error("flushing the folder of", code, number);
  }
  if (!ready) {
    ::unlink(path.c_str());
    return ready.error();
  }
  return segment;
}

WritableSegment::~WritableSegment() {
  // What lies above was never acknowledged. If the cut fails or is lost, readers stop at the zeros or the torn record instead.
  [[maybe_unused]] const int cut = ::ftruncate(file_, static_cast<off_t>(flushed_));
  ::close(file_);
}

Status WritableSegment::reserve(std::uint64_t bytes) {
  int code = ::fallocate(file_, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  // Some file systems cannot reserve: there a full disk shows when writing.
  if (code == EOPNOTSUPP) code = ::ftruncate(file_, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  if (code != 0) return disk_error("reserving", code, number_);
  if (::fsync(file_) != 0) return disk_error("flushing", errno, number_);
  bytes_ = bytes;
  return done();
}

Status WritableSegment::write(std::vector<iovec> pieces) {
  std::size_t first = 0;
  while (first < pieces.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(pieces.size() - first, IOV_MAX));
    const ssize_t written = ::pwritev(file_, pieces.data() + first, count, static_cast<off_t>(written_));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return disk_error("writing", written == 0 ? ENOSPC : errno, number_);
    written_ += static_cast<std::uint64_t>(written);
    auto rest = static_cast<std::size_t>(written);
    while (first < pieces.size() && rest >= pieces[first].iov_len) rest -= pieces[first++].iov_len;
    if (rest > 0) {
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + rest;
      pieces[first].iov_len -= rest;
    }
  }
  return done();
}

Status WritableSegment::flush() {
  if (::fdatasync(file_) != 0) return disk_error("flushing", errno, number_);
  flushed_ = written_;
  return done();
}

}  // namespace mailhold::segments
