#include "platform/blobs/files/file_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mailhold::blobs {
namespace {

namespace fs = std::filesystem;

constexpr const char* unfinished_folder = "unfinished";  // longer than the two letters of the others

Error disk_error(const char* attempt, std::string_view name, int code) {
  return Error{ErrorKind::unavailable, std::string(attempt) + " object " + std::string(name) + ": " + std::strerror(code)};
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : value(descriptor) {}
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int value;
};

// Zero, or the error.
int flush_folder(const fs::path& folder) {
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return file.value >= 0 && ::fsync(file.value) == 0 ? 0 : errno;
}

int write_durably(const fs::path& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.value < 0) return errno;
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.value, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fdatasync(file.value) == 0 ? 0 : errno;
}

// Makes both levels above the place, durably.
int make_folders(const fs::path& folder, const fs::path& place) {
  const fs::path second = place.parent_path(), first = second.parent_path();
  if (::access(second.c_str(), F_OK) == 0) return 0;
  for (const fs::path& level : {first, second}) {
    if (::mkdir(level.c_str(), 0700) != 0 && errno != EEXIST) return errno;
  }
  if (const int code = flush_folder(first); code != 0) return code;
  return flush_folder(folder);
}

}  // namespace

Result<std::unique_ptr<BlobStore>> FileBlobs::open(const fs::path& folder) {
  std::error_code failure;
  fs::remove_all(folder / unfinished_folder, failure);
  if (!failure) fs::create_directories(folder / unfinished_folder, failure);
  if (failure) return Error{ErrorKind::unavailable, "making the folder for objects: " + failure.message()};
  return std::unique_ptr<BlobStore>(new FileBlobs(folder));
}

fs::path FileBlobs::place_of(std::string_view name) const { return folder_ / name.substr(0, 2) / name.substr(2, 2) / name; }

Status FileBlobs::put(std::string_view name, std::string_view bytes, const Deadline&) {
  RETURN_IF_ERROR(check_name(name));
  const fs::path place = place_of(name);
  const fs::path unfinished = folder_ / unfinished_folder / std::to_string(serial_++);
  int code = write_durably(unfinished, bytes);
  if (code == 0) code = make_folders(folder_, place);
  if (code == 0 && ::link(unfinished.c_str(), place.c_str()) != 0) code = errno;
  ::unlink(unfinished.c_str());
  if (code == EEXIST) return Error{ErrorKind::already_exists, "object " + std::string(name)};
  if (code == 0) code = flush_folder(place.parent_path());
  if (code != 0) return disk_error("writing", name, code);
  return done();
}

Result<std::string> FileBlobs::get(std::string_view name, const Deadline&) {
  RETURN_IF_ERROR(check_name(name));
  const Descriptor file(::open(place_of(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value < 0 && errno == ENOENT) return Error{ErrorKind::not_found, "object " + std::string(name)};
  if (file.value < 0) return disk_error("opening", name, errno);
  std::string bytes;
  const off_t size = ::lseek(file.value, 0, SEEK_END);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  for (std::size_t got = 0; got < bytes.size();) {
    const ssize_t part = ::pread(file.value, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) return disk_error("reading", name, part < 0 ? errno : EIO);
    got += static_cast<std::size_t>(part);
  }
  return bytes;
}

Status FileBlobs::remove(std::string_view name, const Deadline&) {
  RETURN_IF_ERROR(check_name(name));
  if (::unlink(place_of(name).c_str()) == 0 || errno == ENOENT) return done();
  return disk_error("removing", name, errno);
}

Result<std::vector<std::string>> FileBlobs::list(std::string_view prefix, const Deadline& deadline) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder_, failure), end; !failure && entry != end; entry.increment(failure)) {
    if (deadline.left().count() == 0) return Error{ErrorKind::timed_out, "listing objects"};
    const std::string name = entry->path().filename().string();
    if (entry.depth() == 0 && name == unfinished_folder) entry.disable_recursion_pending();
    if (entry.depth() == 2 && name.starts_with(prefix)) names.push_back(name);
  }
  if (failure) return Error{ErrorKind::unavailable, "listing objects: " + failure.message()};
  std::ranges::sort(names);
  return names;
}

}  // namespace mailhold::blobs
