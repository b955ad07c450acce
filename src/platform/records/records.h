// Records: rows in SQL, in SQLite or PostgreSQL; which one is said by the address alone.
// Statements are written once for both: parameters are $1, $2 …; columns are bigint, text and bytea; INSERT … ON CONFLICT
// and RETURNING work in both. A table ending in /*clustered*/ is kept in the order of its primary key where that can be chosen.
// Statements never come from outside: values are parameters, always.
//
// Errors everywhere: already_exists (a UNIQUE or primary key is taken), invalid_input (another constraint), unavailable (busy,
// away, disk full or failing: retry later), timed_out, corrupt (the file is damaged), bug (a statement that is no SQL).
// Any thread. Every implementation passes records_contract_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::records {

struct Bytes {
  std::string bytes;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

// NULL, bigint, text, bytea.
class Value {
 public:
  Value() = default;
  Value(std::int64_t number) : value_(number) {}
  Value(std::uint64_t number) : value_(static_cast<std::int64_t>(number)) {}
  Value(std::uint32_t number) : value_(std::int64_t{number}) {}
  Value(int number) : value_(std::int64_t{number}) {}
  Value(std::string text) : value_(std::move(text)) {}
  Value(const char* text) : value_(std::string(text)) {}
  Value(Bytes bytes) : value_(std::move(bytes)) {}
  static Value bytes_of(std::string_view bytes) { return Value(Bytes{std::string(bytes)}); }

  // Asking for what it is not gives zero or empty, like a missing value.
  bool is_null() const { return value_.index() == 0; }
  std::int64_t number() const;
  const std::string& text() const;
  const std::string& bytes() const;

  const std::variant<std::monostate, std::int64_t, std::string, Bytes>& variant() const { return value_; }
  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, std::int64_t, std::string, Bytes> value_;
};

using Values = std::vector<Value>;
using Rows = std::vector<Values>;

// What can be done both inside and outside a transaction.
class Session {
 public:
  virtual ~Session() = default;
  // How many rows were changed.
  virtual Result<std::uint64_t> execute(std::string_view sql, const Values& parameters, const Deadline& deadline) = 0;
  // One statement for many rows of parameters; outside a transaction they are one. How many rows were changed in all.
  virtual Result<std::uint64_t> execute_batch(std::string_view sql, const std::vector<Values>& rows,
                                              const Deadline& deadline) = 0;
  // All rows, in memory.
  virtual Result<Rows> query(std::string_view sql, const Values& parameters, const Deadline& deadline) = 0;
};

// The steps that make a room's tables. Step n brings it from version n to n+1; steps are only ever added.
struct Schema {
  std::string room;
  std::vector<std::string> steps;  // each one or more statements, separated by ';'
};

class Records : public Session {
 public:
  // Runs the function inside one transaction, alone among the writers as far as it can see; committed and durable if the
  // function is done and the commit worked, undone otherwise. unavailable: another one was in the way, try again.
  using Work = std::function<Status(Session&)>;
  virtual Status transaction(const Work& work, const Deadline& deadline) = 0;

  // Brings the room's tables up to date; a no-op when they are. unsupported if they are newer than this program.
  Status migrate(const Schema& schema, const Deadline& deadline);

  // Makes the deletions final in the files themselves (SQLite: the log is folded in and cut). Best effort on a server.
  virtual Status forget_deleted(const Deadline& deadline) = 0;

 protected:
  // Statements without parameters, several at once.
  virtual Status run_script(Session& session, std::string_view sql, const Deadline& deadline) = 0;
};

// "sqlite:/var/lib/mailhold/store.db" or "postgresql://…" (a libpq address).
Result<std::unique_ptr<Records>> open(std::string_view address, const Deadline& deadline);

}  // namespace mailhold::records
