#include "features/search/sqlite_handle.h"

namespace mailhold::search {
namespace {

constexpr int instructions_between_looks = 20'000;  // of SQLite's machine, before it looks at the time again

Error error_of(sqlite3* handle, int code, std::string_view what) {
  // The message may quote the words that are looked for: only the code goes on.
  const std::string detail = "index: " + std::string(what) + ": " + ::sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_INTERRUPT: return {ErrorKind::timed_out, detail};
    case SQLITE_NOMEM: return {ErrorKind::limit_exceeded, detail};
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {ErrorKind::corrupt, detail};
    default: return {handle == nullptr ? ErrorKind::unavailable : ErrorKind::bug, detail};
  }
}

}  // namespace

Result<Database> Database::open(const std::string& name, int flags, const char* vfs) {
  sqlite3* handle = nullptr;
  const int code = ::sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, vfs);
  Database database(handle);
  if (code != SQLITE_OK) return error_of(nullptr, code, "opening");
  RETURN_IF_ERROR(database.run("PRAGMA temp_store=MEMORY"));
  return database;
}

Result<Database> Database::in_memory() {
  // The VFS of that name keeps the database in one block, which bytes() can show.
  ASSIGN_OR_RETURN(Database database, open("file:build", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "memdb"));
  RETURN_IF_ERROR(
      database.run("PRAGMA page_size=16384; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096"));
  return database;
}

Result<Database> Database::through(const char* vfs, const std::string& name, std::size_t cache_bytes) {
  ASSIGN_OR_RETURN(Database database, open("file:" + name + "?immutable=1", SQLITE_OPEN_READONLY, vfs));
  RETURN_IF_ERROR(database.run("PRAGMA cache_size=-" + std::to_string(cache_bytes / 1024)));
  return database;
}

Status Database::run(const std::string& sql) {
  const int code = ::sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(handle_.get(), ::sqlite3_extended_errcode(handle_.get()), "a statement");
  return done();
}

Result<Query> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = ::sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return error("preparing");
  return Query(statement);
}

std::string_view Database::bytes() const {
  sqlite3_int64 size = 0;
  const unsigned char* bytes = ::sqlite3_serialize(handle_.get(), "main", &size, SQLITE_SERIALIZE_NOCOPY);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

void Database::limit_time(const Deadline& deadline) {
  deadline_ = std::make_unique<Deadline>(deadline);
  ::sqlite3_progress_handler(
      handle_.get(), instructions_between_looks,
      [](void* until) -> int {
        const auto& limit = *static_cast<const Deadline*>(until);
        return limit.left().count() == 0 || limit.stop.stop_requested() ? 1 : 0;
      },
      deadline_.get());
}

Error Database::error(std::string_view what) const {
  return error_of(handle_.get(), ::sqlite3_extended_errcode(handle_.get()), what);
}

Result<bool> Query::step() {
  const int code = ::sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* handle = ::sqlite3_db_handle(statement_.get());
  return error_of(handle, ::sqlite3_extended_errcode(handle), "a step");
}

Status Query::run() {
  const Result<bool> more = step();
  reset();
  if (!more) return more.error();
  return done();
}

std::string_view Query::bytes(int column) const {
  const void* bytes = ::sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column))};
}

}  // namespace mailhold::search
