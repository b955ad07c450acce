// Database and Query: SQLite as this room needs it: in memory, or read-only through SealedVfs. No file of SQLite's own is ever
// opened, and no temporary one. Internal to this room. One thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::search {

class Query;

class Database {
 public:
  static Result<Database> in_memory();
  static Result<Database> through(const char* vfs, const std::string& name, std::size_t cache_bytes);

  Status run(const std::string& sql);
  Result<Query> prepare(std::string_view sql);
  // Its bytes, whole pages, valid until the next change: of one in memory.
  std::string_view bytes() const;
  // Statements that run past the deadline fail as timed_out, or cancelled.
  void limit_time(const Deadline& deadline);
  Error error(std::string_view what) const;
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const { ::sqlite3_close_v2(handle); }
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}
  static Result<Database> open(const std::string& name, int flags, const char* vfs);
  std::unique_ptr<sqlite3, Closer> handle_;
  std::unique_ptr<Deadline> deadline_;
};

class Query {
 public:
  void bind(int place, std::int64_t value) { ::sqlite3_bind_int64(statement_.get(), place, value); }
  // The text must live until the next reset().
  void bind_text(int place, std::string_view text) {
    ::sqlite3_bind_text64(statement_.get(), place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind_bytes(int place, std::string_view bytes) {
    ::sqlite3_bind_blob64(statement_.get(), place, bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  Result<bool> step();  // whether there is a row
  Status run();         // to its end, and ready for the next time
  void reset() { ::sqlite3_reset(statement_.get()); }
  std::int64_t number(int column) const { return ::sqlite3_column_int64(statement_.get(), column); }
  std::string_view bytes(int column) const;  // valid until the next step

 private:
  friend class Database;
  struct Ender {
    void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
  };
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Ender> statement_;
};

}  // namespace mailhold::search
