// SqliteConnection: one connection with its prepared statements. Internal to this room; one thread at a time.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "platform/records/records.h"

namespace mailhold::records {

class SqliteConnection final : public Session {
 public:
  static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, const Deadline& deadline);
  ~SqliteConnection() override;

  Result<std::uint64_t> execute(std::string_view sql, const Values& parameters, const Deadline& deadline) override;
  Result<std::uint64_t> execute_batch(std::string_view sql, const std::vector<Values>& rows, const Deadline& deadline) override;
  Result<Rows> query(std::string_view sql, const Values& parameters, const Deadline& deadline) override;

  Status run_script(const std::string& sql, const Deadline& deadline);
  Result<bool> only_reads(std::string_view sql, const Deadline& deadline);

 private:
  explicit SqliteConnection(sqlite3* database) : database_(database) {}
  Error failure(int code) const;
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  Status bind(sqlite3_stmt* statement, const Values& parameters);
  Result<Rows> run(sqlite3_stmt* statement, const Values& parameters);
  void begin_waiting(const Deadline& deadline);  // every statement from here on gives up at the deadline

  sqlite3* const database_;
  Deadline deadline_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace mailhold::records
