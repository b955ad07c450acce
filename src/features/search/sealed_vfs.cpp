#include "features/search/sealed_vfs.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "base/random.h"

namespace mailhold::search {
namespace {

constexpr const char* vfs_name = "mailhold-sealed";

// Which file a name stands for, from before its database is opened until then.
class Names {
 public:
  std::string add(SealedFile& file) {
    const std::lock_guard lock(mutex_);
    const std::string name = "sealed-" + std::to_string(++last_);
    files_[name] = &file;
    return name;
  }
  SealedFile* find(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(name);
    return found == files_.end() ? nullptr : found->second;
  }
  void remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    files_.erase(name);
  }

 private:
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::map<std::string, SealedFile*> files_;
};

Names& names() {
  static Names all;
  return all;
}

struct OpenFile {
  sqlite3_file base;
  SealedFile* sealed;
};

SealedFile& sealed_of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file)->sealed; }

int read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
  SealedFile& sealed = sealed_of(file);
  auto at = static_cast<std::uint64_t>(offset);
  auto left = static_cast<std::size_t>(count);
  char* to = static_cast<char*>(out);
  while (left > 0) {
    if (at >= sealed.bytes()) {
      std::memset(to, 0, left);
      return SQLITE_IOERR_SHORT_READ;
    }
    const auto page = sealed.page(at / page_bytes);
    if (!page) return SQLITE_IOERR_READ;
    const std::string_view rest = page->substr(at % page_bytes);
    const std::size_t part = std::min(rest.size(), left);
    std::memcpy(to, rest.data(), part);
    to += part;
    at += part;
    left -= part;
  }
  return SQLITE_OK;
}

// A database in pages is as long as its first page says; what lies behind is padding.
int size_of(sqlite3_file* file, sqlite3_int64* size) {
  SealedFile& sealed = sealed_of(file);
  const auto page = sealed.page(0);
  if (!page || page->size() < 32) return SQLITE_IOERR_FSTAT;
  std::uint64_t pages = 0;
  for (std::size_t i = 28; i < 32; ++i) pages = pages << 8 | static_cast<unsigned char>((*page)[i]);
  *size = static_cast<sqlite3_int64>(std::min(pages * page_bytes, sealed.bytes()));
  return SQLITE_OK;
}

int close(sqlite3_file*) { return SQLITE_OK; }
int refuse_write(sqlite3_file*, const void*, int, sqlite3_int64) { return SQLITE_READONLY; }
int refuse_truncate(sqlite3_file*, sqlite3_int64) { return SQLITE_READONLY; }
int sync(sqlite3_file*, int) { return SQLITE_OK; }
int lock(sqlite3_file*, int) { return SQLITE_OK; }
int check_lock(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector(sqlite3_file*) { return static_cast<int>(page_bytes); }
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_IMMUTABLE; }

constexpr sqlite3_io_methods methods = {1,    close,      read,    refuse_write, refuse_truncate, sync, size_of, lock,
                                        lock, check_lock, control, sector,       characteristics, {},   {},      {},
                                        {},   {},         {}};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  SealedFile* sealed = name == nullptr ? nullptr : names().find(name);
  if (sealed == nullptr || (flags & SQLITE_OPEN_MAIN_DB) == 0) return SQLITE_CANTOPEN;
  reinterpret_cast<OpenFile*>(file)->sealed = sealed;
  file->pMethods = &methods;
  if (out_flags != nullptr) *out_flags = SQLITE_OPEN_READONLY;
  return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char*, int) { return SQLITE_READONLY; }
int access(sqlite3_vfs*, const char*, int, int* there) {
  *there = 0;
  return SQLITE_OK;
}
int full_name(sqlite3_vfs*, const char* name, int room, char* out) {
  if (std::strlen(name) >= static_cast<std::size_t>(room)) return SQLITE_CANTOPEN;
  std::strcpy(out, name);
  return SQLITE_OK;
}
int randomness(sqlite3_vfs*, int count, char* out) {
  fill_random(out, static_cast<std::size_t>(count));
  return count;
}
int sleep(sqlite3_vfs*, int) { return 0; }
int current_time(sqlite3_vfs*, double* time) {
  *time = 0;  // nothing in a segment asks for it
  return SQLITE_OK;
}
int last_error(sqlite3_vfs*, int, char*) { return 0; }

void register_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    static sqlite3_vfs vfs = {};
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(OpenFile);
    vfs.mxPathname = 64;
    vfs.zName = vfs_name;
    vfs.xOpen = open;
    vfs.xDelete = remove;
    vfs.xAccess = access;
    vfs.xFullPathname = full_name;
    vfs.xRandomness = randomness;
    vfs.xSleep = sleep;
    vfs.xCurrentTime = current_time;
    vfs.xGetLastError = last_error;
    ::sqlite3_vfs_register(&vfs, 0);
  });
}

}  // namespace

Result<Database> open_sealed(SealedFile& file, std::size_t cache_bytes) {
  register_once();
  const std::string name = names().add(file);
  Result<Database> database = Database::through(vfs_name, name, cache_bytes);
  names().remove(name);
  return database;
}

}  // namespace mailhold::search
