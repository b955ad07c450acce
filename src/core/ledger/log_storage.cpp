#include "core/ledger/log_storage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace mailhold::ledger {
namespace {

Error failed(const std::filesystem::path& path, const char* what, int number = errno) {
  return Error{ErrorKind::unavailable, std::string("ledger: ") + what + " " + path.string() + ": " + std::strerror(number)};
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  const int descriptor_;
};

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

class DiskJournal final : public JournalFile {
 public:
  DiskJournal(int descriptor, std::filesystem::path path) : file_(descriptor), path_(std::move(path)) {}

  Status append(std::string_view bytes) override {
    if (!write_all(file_.get(), bytes)) return failed(path_, "writing");
    bytes_ += bytes.size();
    return done();
  }

  Status sync() override {
    if (::fdatasync(file_.get()) != 0) return failed(path_, "syncing");
    return done();
  }

  Status check_in_place() override {
    struct stat ours{};
    struct stat named{};
    if (::fstat(file_.get(), &ours) != 0) return failed(path_, "inspecting");
    if (::lstat(path_.c_str(), &named) != 0) return failed(path_, "finding");
    if (ours.st_nlink == 0 || ours.st_ino != named.st_ino || ours.st_dev != named.st_dev) {
      return Error{ErrorKind::unavailable, "ledger: journal was unlinked or replaced: " + path_.string()};
    }
    if (static_cast<std::uint64_t>(ours.st_size) != bytes_) {
      return Error{ErrorKind::unavailable, "ledger: somebody else changed the journal " + path_.string()};
    }
    return done();
  }

 private:
  const File file_;
  const std::filesystem::path path_;
  std::uint64_t bytes_ = 0;
};

class DiskStorage final : public LogStorage {
 public:
  Result<std::unique_ptr<JournalFile>> create_journal(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(make_folders(path.parent_path()));
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file < 0) return failed(path, "creating");
    auto journal = std::make_unique<DiskJournal>(file, path);
    RETURN_IF_ERROR(journal->check_in_place());  // also: empty
    RETURN_IF_ERROR(sync_folder(path.parent_path()));
    return std::unique_ptr<JournalFile>(std::move(journal));
  }

  Status write_file(const std::filesystem::path& path, std::string_view bytes) override {
    RETURN_IF_ERROR(make_folders(path.parent_path()));
    const std::filesystem::path beside = path.string() + ".new";
    {
      const File file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
      if (!file.is_open()) return failed(beside, "creating");
      if (!write_all(file.get(), bytes)) return failed(beside, "writing");
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) return failed(path, "renaming");
    return done();
  }

  Status sync_all(const std::filesystem::path& folder) override {
    const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.is_open() || ::syncfs(file.get()) != 0) return failed(folder, "syncing");
    return done();
  }

  Status sync_folder(const std::filesystem::path& folder) override {
    const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.is_open() || ::fsync(file.get()) != 0) return failed(folder, "syncing");
    return done();
  }

  Status cut_file(const std::filesystem::path& path, std::uint64_t keep_bytes, const std::filesystem::path& evidence) override {
    const File from(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    const File to(::open(evidence.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!from.is_open() || !to.is_open()) return failed(path, "cutting");
    std::string piece(1U << 18, '\0');
    for (auto at = static_cast<off_t>(keep_bytes);;) {
      const ssize_t count = ::pread(from.get(), piece.data(), piece.size(), at);
      if (count < 0) return failed(path, "reading");
      if (count == 0) break;
      if (!write_all(to.get(), std::string_view(piece).substr(0, static_cast<std::size_t>(count))))
        return failed(evidence, "writing");
      at += count;
    }
    if (::fsync(to.get()) != 0) return failed(evidence, "syncing");
    if (::ftruncate(from.get(), static_cast<off_t>(keep_bytes)) != 0 || ::fsync(from.get()) != 0) return failed(path, "cutting");
    return sync_folder(path.parent_path());
  }

 private:
  static Status make_folders(const std::filesystem::path& folder) {
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure) return failed(folder, "creating", failure.value());
    return done();
  }
};

}  // namespace

LogStorage& disk_storage() {
  static DiskStorage storage;
  return storage;
}

}  // namespace mailhold::ledger
