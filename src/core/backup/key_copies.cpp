#include "core/backup/key_copies.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "core/backup/backup_set.h"

namespace mailhold::backup {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds clock_difference_max = milliseconds_in_day;

Error failed(const fs::path& what) { return {ErrorKind::unavailable, what.string() + ": " + std::strerror(errno)}; }

// What was made or deleted in the folder lasts.
Status settle(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT ? done() : Status(failed(folder));
  const bool is_settled = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return is_settled ? done() : Status(failed(folder));
}

// Before anything is deleted: from here on the backup is one without keys, however far the deletion comes.
Status mark(const BackupSet& set, Milliseconds now) {
  if (set.is_pruned) return done();
  const fs::path file = set.folder / pruned_name;
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return failed(file);
  const std::string text = "mailhold-pruned-1 " + std::to_string(now) + "\n";
  const bool is_written =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!is_written) return failed(file);
  return settle(set.folder);
}

// True if there was something to delete.
Result<bool> prune(const BackupSet& set, Milliseconds now) {
  bool found = false;
  for (const ManifestFile& each : set.manifest.files)
    found = found || (is_of_keys(each.path) && fs::exists(set.folder / each.path));
  if (!found) return false;
  RETURN_IF_ERROR(mark(set, now));
  for (const ManifestFile& each : set.manifest.files) {
    if (!is_of_keys(each.path)) continue;
    const fs::path file = set.folder / each.path;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return failed(file);
    RETURN_IF_ERROR(settle(file.parent_path()));
  }
  return true;
}

// An interrupted backup can't be restored and has no date; it may also be something else, so that it is only named.
bool is_old_leftover(const fs::path& folder, Milliseconds now) {
  for (const char* file : {"keystore/keystore.db", "store/gateway.db", "backup/backup.db"}) {
    struct stat about{};
    if (::stat((folder / file).c_str(), &about) == 0 && now - Milliseconds{about.st_mtime} * 1000 > key_copies_life) return true;
  }
  return false;
}

}  // namespace

Result<Pruned> prune_keys(const fs::path& folder, Milliseconds now, Milliseconds life) {
  if (life < 0 || life > key_copies_life) return Error{ErrorKind::invalid_input, "keys are kept in backups for 0 to 35 days"};
  Pruned pruned;
  std::vector<BackupSet> sets;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_symlink() || !at->is_directory()) continue;
    const std::string name = at->path().filename().string();
    auto set = open_set(at->path());
    if (set && set->manifest.made_at > now + clock_difference_max)
      pruned.problems.push_back(name + " says it was made in the future: its keys stay until its date is right");
    if (set) {
      sets.push_back(std::move(*set));
    } else if (set.error().kind != ErrorKind::not_found) {
      pruned.problems.push_back(set.error().detail + ": its keys stay until somebody deletes the backup");
    } else if (is_old_leftover(at->path(), now)) {
      pruned.problems.push_back(name + " holds keys older than 35 days and is no complete backup: delete it if it was one");
    }
  }
  if (error)
    return Error{error == std::errc::no_such_file_or_directory ? ErrorKind::not_found : ErrorKind::unavailable,
                 folder.string() + ": " + error.message()};
  std::sort(sets.begin(), sets.end(), [](const BackupSet& a, const BackupSet& b) {
    return std::tie(a.manifest.made_at, a.folder) < std::tie(b.manifest.made_at, b.folder);
  });
  const auto newest = std::find_if(sets.rbegin(), sets.rend(), [](const BackupSet& set) { return !set.is_pruned; });
  if (newest != sets.rend() && now - newest->manifest.made_at > key_copies_life)
    return Error{ErrorKind::denied, "the newest backup in " + folder.string() +
                                        " is older than 35 days, and its keys are the last ones: make a backup first"};
  for (const BackupSet& set : sets) {
    const bool is_newest = newest != sets.rend() && &set == &*newest;
    if (!set.is_pruned && (is_newest || now - set.manifest.made_at <= life)) continue;
    auto outcome = prune(set, now);
    if (!outcome)
      pruned.problems.push_back(outcome.error().detail);
    else if (*outcome)
      pruned.backups.push_back(set.folder.filename().string());
  }
  return pruned;
}

}  // namespace mailhold::backup
