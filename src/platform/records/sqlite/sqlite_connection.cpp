#include "platform/records/sqlite/sqlite_connection.h"

#include <algorithm>
#include <climits>

namespace mailhold::records {
namespace {

constexpr std::size_t statements_max = 256;
constexpr int steps_between_looks_at_the_clock = 10'000;

int gives_up(void* deadline) {
  const auto* limit = static_cast<const Deadline*>(deadline);
  return limit->left().count() == 0 || limit->stop.stop_requested() ? 1 : 0;
}

Value column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER: return Value(std::int64_t{sqlite3_column_int64(statement, index)});
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
      return Value(std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index))));
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, index));
      const auto count = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
      return Value(Bytes{bytes == nullptr ? std::string() : std::string(bytes, count)});
    }
    default: return Value();
  }
}

int bind_value(sqlite3_stmt* statement, int index, const Value& value) {
  const auto& held = value.variant();
  if (const auto* number = std::get_if<std::int64_t>(&held)) return sqlite3_bind_int64(statement, index, *number);
  if (const auto* text = std::get_if<std::string>(&held)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* bytes = std::get_if<Bytes>(&held)) {
    // A null pointer would bind NULL.
    const char* data = bytes->bytes.empty() ? "" : bytes->bytes.data();
    return sqlite3_bind_blob64(statement, index, data, bytes->bytes.size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, const Deadline& deadline) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(database));
  if (code != SQLITE_OK) return connection->failure(code);
  // A plan depends on the statement alone. Otherwise a partial index makes SQLite plan anew for each value that is bound, which
  // costs several times what the statement does.
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_QPSG, 1, nullptr);
  // secure_delete: a deleted wrap must not survive in a free page. temp_store: no temporary files beside the database.
  RETURN_IF_ERROR(connection->run_script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
      "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000;"
      "PRAGMA trusted_schema = OFF",
      deadline));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(database_);
}

Error SqliteConnection::failure(int code) const {
  ErrorKind kind = ErrorKind::bug;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_NOMEM:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL: kind = ErrorKind::unavailable; break;
    case SQLITE_INTERRUPT: kind = deadline_.stop.stop_requested() ? ErrorKind::cancelled : ErrorKind::timed_out; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: kind = ErrorKind::corrupt; break;
    case SQLITE_TOOBIG: kind = ErrorKind::limit_exceeded; break;
    case SQLITE_CONSTRAINT:
      kind = code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID
                 ? ErrorKind::already_exists
                 : ErrorKind::invalid_input;
      break;
    default: break;
  }
  // The message names tables and columns, never values.
  return Error{kind, std::string("sqlite: ") + (database_ != nullptr ? sqlite3_errmsg(database_) : sqlite3_errstr(code))};
}

void SqliteConnection::begin_waiting(const Deadline& deadline) {
  deadline_ = deadline;
  sqlite3_busy_timeout(database_, static_cast<int>(std::clamp<std::int64_t>(deadline.left().count(), 0, INT_MAX)));
  sqlite3_progress_handler(database_, steps_between_looks_at_the_clock, gives_up, &deadline_);
}

Status SqliteConnection::run_script(const std::string& sql, const Deadline& deadline) {
  begin_waiting(deadline);
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return done();
}

Result<sqlite3_stmt*> SqliteConnection::prepare(std::string_view sql) {
  const std::string key(sql);
  if (const auto found = statements_.find(key); found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, &tail);
  if (code != SQLITE_OK) return failure(code);
  if (statement == nullptr || tail != sql.data() + sql.size()) {
    sqlite3_finalize(statement);
    return Error{ErrorKind::bug, "sqlite: one statement at a time"};
  }
  if (statements_.size() >= statements_max) {
    for (const auto& [old_sql, old_statement] : statements_) sqlite3_finalize(old_statement);
    statements_.clear();
  }
  statements_.emplace(key, statement);
  return statement;
}

Result<bool> SqliteConnection::only_reads(std::string_view sql, const Deadline& deadline) {
  begin_waiting(deadline);
  ASSIGN_OR_RETURN(sqlite3_stmt* const statement, prepare(sql));
  return sqlite3_stmt_readonly(statement) != 0;
}

Status SqliteConnection::bind(sqlite3_stmt* statement, const Values& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    // "$1" is a name for SQLite, which numbers names by their first appearance.
    const int index = sqlite3_bind_parameter_index(statement, ("$" + std::to_string(i + 1)).c_str());
    if (index == 0) return Error{ErrorKind::bug, "sqlite: the statement has no parameter $" + std::to_string(i + 1)};
    if (const int code = bind_value(statement, index, parameters[i]); code != SQLITE_OK) return failure(code);
  }
  if (sqlite3_bind_parameter_count(statement) != static_cast<int>(parameters.size())) {
    return Error{ErrorKind::bug, "sqlite: the statement wants more parameters"};
  }
  return done();
}

Result<Rows> SqliteConnection::run(sqlite3_stmt* statement, const Values& parameters) {
  RETURN_IF_ERROR(bind(statement, parameters));
  Rows rows;
  int code = 0;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    Values& row = rows.emplace_back();
    const int columns = sqlite3_column_count(statement);
    row.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) row.push_back(column(statement, i));
  }
  Result<Rows> outcome = code == SQLITE_DONE ? Result<Rows>(std::move(rows)) : Result<Rows>(failure(code));
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return outcome;
}

Result<Rows> SqliteConnection::query(std::string_view sql, const Values& parameters, const Deadline& deadline) {
  begin_waiting(deadline);
  ASSIGN_OR_RETURN(sqlite3_stmt* const statement, prepare(sql));
  return run(statement, parameters);
}

Result<std::uint64_t> SqliteConnection::execute(std::string_view sql, const Values& parameters, const Deadline& deadline) {
  const sqlite3_int64 before = sqlite3_total_changes64(database_);
  ASSIGN_OR_RETURN([[maybe_unused]] const Rows rows, query(sql, parameters, deadline));
  return static_cast<std::uint64_t>(sqlite3_total_changes64(database_) - before);
}

Result<std::uint64_t> SqliteConnection::execute_batch(std::string_view sql, const std::vector<Values>& rows,
                                                      const Deadline& deadline) {
  begin_waiting(deadline);
  ASSIGN_OR_RETURN(sqlite3_stmt* const statement, prepare(sql));
  const sqlite3_int64 before = sqlite3_total_changes64(database_);
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN([[maybe_unused]] const Rows none, run(statement, row));
  }
  return static_cast<std::uint64_t>(sqlite3_total_changes64(database_) - before);
}

}  // namespace mailhold::records
