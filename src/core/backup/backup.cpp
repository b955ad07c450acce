#include "core/backup/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "base/text.h"
#include "core/backup/backup_set.h"
#include "core/backup/key_copies.h"
#include "platform/crypto/hash.h"
#include "platform/records/sqlite/sqlite_records.h"

namespace mailhold::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t piece = 1 << 20;
constexpr int ledger_attempts = 20;
constexpr auto ledger_pause = std::chrono::milliseconds(200);

// Later folders are named by what lies in earlier ones, never the other way: rows before the objects they name, all before the
// keys that open them.
constexpr const char* order[] = {"directory", "links", "broker", "store", "spool", "ledger", "tokens", "keystore"};

Error failed(const std::string& what) { return {ErrorKind::unavailable, what + ": " + std::strerror(errno)}; }

class File {
 public:
  File(const fs::path& path, int flags, unsigned mode = 0600)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// Copies (with a target) or only reads, and says what was there.
Result<ManifestFile> read_file(const fs::path& source, const fs::path* target, const Deadline& deadline) {
  const File from(source, O_RDONLY);
  if (from.get() < 0)
    return errno == ENOENT ? Error{ErrorKind::not_found, source.string() + " is gone"} : failed(source.string());
  struct stat about{};
  if (::fstat(from.get(), &about) != 0) return failed(source.string());
  std::optional<File> to;
  if (target != nullptr) {
    to.emplace(*target, O_WRONLY | O_CREAT | O_EXCL);
    if (to->get() < 0) return failed(target->string());
  }
  ManifestFile file;
  file.mode = about.st_mode & 0777;
  crypto::Sha256 hash;
  std::string buffer(piece, '\0');
  for (;;) {
    if (deadline.left().count() == 0) return Error{ErrorKind::timed_out, "copying " + source.string() + " took too long"};
    const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
    if (count < 0) return failed(source.string());
    if (count == 0) break;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    hash.update(bytes);
    file.size += bytes.size();
    if (to && ::write(to->get(), bytes.data(), bytes.size()) != count) return failed(target->string());
  }
  file.sha256 = to_hex(hash.finish());
  if (to && ::fdatasync(to->get()) != 0) return failed(target->string());
  return file;
}

std::string text_of(const fs::path& file) {
  const File from(file, O_RDONLY);
  std::string text(piece, '\0');
  const ssize_t count = from.get() < 0 ? 0 : ::read(from.get(), text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

bool ends_with_any(const std::string& name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_regular_file() && !at->is_symlink()) files.push_back(at->path());
  }
  if (error) return Error{ErrorKind::unavailable, folder.string() + ": " + error.message()};
  std::sort(files.begin(), files.end());
  return files;
}

class Copying {
 public:
  Copying(const fs::path& data, const fs::path& target, const Progress& progress, const Deadline& deadline)
      : data_(data), target_(target), progress_(progress), deadline_(deadline) {}

  Status folder(const std::string& name) {
    if (!fs::exists(data_ / name)) return done();
    if (name == "ledger") return ledger();
    // Databases first: what they name is still there, and more.
    RETURN_IF_ERROR(all_below(name, true));
    return all_below(name, false);
  }

  Result<Copied> finish(Milliseconds now) {
    manifest_.made_at = now;
    const std::string text = write_manifest(manifest_);
    const fs::path file = target_ / manifest_name;
    const File to(file, O_WRONLY | O_CREAT | O_EXCL);
    if (to.get() < 0 || ::write(to.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::syncfs(to.get()) != 0)
      return failed(file.string());
    copied_.manifest_sha256 = to_hex(crypto::sha256(text));
    return copied_;
  }

 private:
  Status all_below(const std::string& name, bool databases) {
    ASSIGN_OR_RETURN(const std::vector<fs::path> files, files_below(data_ / name));
    for (const fs::path& file : files) {
      if (ends_with_any(file.string(), {".db-wal", ".db-shm", "/lock"})) continue;
      if (file.string().ends_with(".db") != databases) continue;
      const Status copied = one(file, databases);
      // A segment or message that went in between is named by nothing that was copied later.
      if (!copied && copied.error().kind != ErrorKind::not_found) return copied;
    }
    return done();
  }

  Status one(const fs::path& file, bool is_database) {
    const fs::path relative = fs::relative(file, data_);
    const fs::path target = target_ / relative;
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error) return Error{ErrorKind::unavailable, target.string() + ": " + error.message()};
    ManifestFile copied;
    if (is_database) {
      ASSIGN_OR_RETURN(const auto records, records::open_sqlite(file.string(), deadline_));
      RETURN_IF_ERROR(records->execute("VACUUM INTO $1", {records::Value(target.string())}, deadline_));
      ASSIGN_OR_RETURN(copied, read_file(target, nullptr, deadline_));
      struct stat about{};
      if (::stat(file.c_str(), &about) != 0) return failed(file.string());
      copied.mode = about.st_mode & 0777;
    } else {
      ASSIGN_OR_RETURN(copied, read_file(file, &target, deadline_));
    }
    copied.path = relative.string();
    ++copied_.files;
    copied_.bytes += copied.size;
    manifest_.files.push_back(std::move(copied));
    progress_(copied_);
    return done();
  }

  // Tiles and bundles are exactly those of the checkpoint only if it did not move meanwhile. Journals only grow.
  Status ledger() {
    for (int attempt = 0; attempt < ledger_attempts; ++attempt) {
      const std::string before = text_of(data_ / "ledger/checkpoint");
      const std::size_t files = manifest_.files.size();
      const Copied counted = copied_;
      RETURN_IF_ERROR(all_below("ledger", false));
      if (text_of(data_ / "ledger/checkpoint") == before) return done();
      std::error_code ignored;
      fs::remove_all(target_ / "ledger", ignored);
      manifest_.files.resize(files);
      copied_ = counted;
      std::this_thread::sleep_for(ledger_pause);
    }
    return Error{ErrorKind::unavailable, "the ledger changed faster than it could be copied"};
  }

  const fs::path& data_;
  const fs::path& target_;
  const Progress& progress_;
  const Deadline& deadline_;
  Manifest manifest_;
  Copied copied_;
};

// Keys of a pruned backup may be there still, if the pruning was interrupted; nobody uses them.
Status check(const BackupSet& set, const Deadline& deadline) {
  const fs::path& source = set.folder;
  std::set<std::string> named = {manifest_name, pruned_name};
  for (const ManifestFile& file : set.manifest.files) {
    if (set.is_pruned && is_of_keys(file.path)) {
      named.insert(file.path);
      continue;
    }
    const auto found = read_file(source / file.path, nullptr, deadline);
    if (!found || found->sha256 != file.sha256 || found->size != file.size)
      return Error{ErrorKind::corrupt, "the backup is damaged: " + file.path + (found ? " was changed" : " cannot be read")};
    named.insert(file.path);
  }
  ASSIGN_OR_RETURN(const std::vector<fs::path> files, files_below(source));
  for (const fs::path& file : files) {
    if (!named.contains(fs::relative(file, source).string()))
      return Error{ErrorKind::corrupt, "the backup is damaged: " + fs::relative(file, source).string() + " is not of it"};
  }
  return done();
}

Status give(const fs::path& path, const Owner& owner, unsigned mode) {
  if (::lchown(path.c_str(), owner.user, owner.group) != 0 || ::chmod(path.c_str(), mode) != 0) return failed(path.string());
  return done();
}

// Keys of before would bring back what was shredded since.
Status check_keys(const BackupSet& set, Milliseconds now) {
  const std::string& name = set.folder.string();
  constexpr const char* way_out = "; with --keys-from and a newer backup, what else is in it can be restored";
  if (set.is_pruned)
    return Error{ErrorKind::denied, "the keys of " + name + " were deleted when they were 35 days old" + way_out};
  if (now - set.manifest.made_at > key_copies_life)
    return Error{ErrorKind::denied, "the keys in " + name + " are older than 35 days and are used no more" + way_out};
  return done();
}

struct Restoring {
  const fs::path& data;
  const OwnerOf& owner_of;
  const Progress& progress;
  const Deadline& deadline;
  Copied copied{};

  Status one(const fs::path& source, const ManifestFile& file) {
    ASSIGN_OR_RETURN(const Owner owner, owner_of(std::string(file.path.substr(0, file.path.find('/')))));
    const fs::path target = data / file.path;
    std::error_code error;
    for (fs::path folder = target.parent_path(); folder != data && !fs::exists(folder); folder = folder.parent_path()) {
      fs::create_directories(folder, error);
      for (fs::path each = folder; each != data; each = each.parent_path()) RETURN_IF_ERROR(give(each, owner, 0700));
    }
    RETURN_IF_ERROR(read_file(source / file.path, &target, deadline));
    RETURN_IF_ERROR(give(target, owner, file.mode));
    ++copied.files;
    copied.bytes += file.size;
    progress(copied);
    return done();
  }
};

}  // namespace

Result<Copied> copy_data(const fs::path& data, const fs::path& target, Milliseconds now, const Progress& progress,
                         const Deadline& deadline) {
  if (!fs::exists(data / "keystore/keystore.db"))
    return Error{ErrorKind::not_found, data.string() + " holds no data of Mailhold"};
  if (::mkdir(target.c_str(), 0700) != 0)
    return errno == EEXIST ? Error{ErrorKind::already_exists, target.string() + " exists already"} : failed(target.string());
  Copying copying(data, target, progress, deadline);
  // A folder that the order does not know is named by nothing here, and goes first.
  for (const auto& entry : fs::directory_iterator(data)) {
    const std::string name = entry.path().filename();
    const bool is_known = std::find(std::begin(order), std::end(order), name) != std::end(order);
    if (entry.is_directory() && !is_known) RETURN_IF_ERROR(copying.folder(name));
  }
  for (const char* folder : order) RETURN_IF_ERROR(copying.folder(folder));
  return copying.finish(now);
}

Result<Copied> restore_data(const RestoreFrom& from, const fs::path& data, Milliseconds now, const OwnerOf& owner_of,
                            const Progress& progress, const Deadline& deadline) {
  std::error_code error;
  if (fs::exists(data) && !fs::is_empty(data, error)) return Error{ErrorKind::already_exists, data.string() + " is not empty"};
  ASSIGN_OR_RETURN(const BackupSet backup, open_set(from.backup));
  std::optional<BackupSet> newer;
  if (from.keys_from) {
    ASSIGN_OR_RETURN(newer, open_set(*from.keys_from));
    if (newer->manifest.made_at < backup.manifest.made_at)
      return Error{ErrorKind::invalid_input, from.keys_from->string() + " is older than " + from.backup.string()};
  }
  const BackupSet& whole = newer ? *newer : backup;
  RETURN_IF_ERROR(check_keys(whole, now));
  RETURN_IF_ERROR(check(backup, deadline));
  if (newer) RETURN_IF_ERROR(check(*newer, deadline));
  fs::create_directories(data, error);
  if (error) return Error{ErrorKind::unavailable, data.string() + ": " + error.message()};
  Restoring restoring{data, owner_of, progress, deadline};
  std::set<std::string_view> there;
  for (const ManifestFile& file : whole.manifest.files) {
    RETURN_IF_ERROR(restoring.one(whole.folder, file));
    there.insert(file.path);
  }
  for (const ManifestFile& file : backup.manifest.files) {
    if (is_object(file.path) && !there.contains(file.path)) RETURN_IF_ERROR(restoring.one(backup.folder, file));
  }
  restoring.copied.manifest_sha256 = backup.manifest_sha256;
  return restoring.copied;
}

}  // namespace mailhold::backup
