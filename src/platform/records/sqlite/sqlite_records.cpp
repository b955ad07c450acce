#include "platform/records/sqlite/sqlite_records.h"

#include <mutex>

#include "platform/records/sqlite/sqlite_connection.h"

namespace mailhold::records {
namespace {

constexpr std::size_t readers_idle_max = 4;

class SqliteRecords final : public Records {
 public:
  SqliteRecords(std::string path, std::unique_ptr<SqliteConnection> writer)
      : path_(std::move(path)), writer_(std::move(writer)) {}

  Result<std::uint64_t> execute(std::string_view sql, const Values& parameters, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const auto turn, writers_turn(deadline));
    return writer_->execute(sql, parameters, deadline);
  }

  Result<std::uint64_t> execute_batch(std::string_view sql, const std::vector<Values>& rows, const Deadline& deadline) override {
    std::uint64_t changed = 0;
    RETURN_IF_ERROR(transaction(
        [&](Session& session) -> Status {
          ASSIGN_OR_RETURN(changed, session.execute_batch(sql, rows, deadline));
          return done();
        },
        deadline));
    return changed;
  }

  Result<Rows> query(std::string_view sql, const Values& parameters, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> reader, take_reader(deadline));
    ASSIGN_OR_RETURN(const bool only_reads, reader->only_reads(sql, deadline));
    if (!only_reads) {  // INSERT … RETURNING
      give_back(std::move(reader));
      ASSIGN_OR_RETURN(const auto turn, writers_turn(deadline));
      return writer_->query(sql, parameters, deadline);
    }
    Result<Rows> rows = reader->query(sql, parameters, deadline);
    give_back(std::move(reader));
    return rows;
  }

  Status transaction(const Work& work, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const auto turn, writers_turn(deadline));
    RETURN_IF_ERROR(writer_->run_script("BEGIN IMMEDIATE", deadline));
    Status outcome = work(*writer_);
    if (outcome) outcome = writer_->run_script("COMMIT", deadline);
    if (!outcome) {
      // Some failures (a full disk) have rolled back by themselves; then this one has nothing to do.
      const Status undone = writer_->run_script("ROLLBACK", Deadline::after(std::chrono::seconds(5)));
      static_cast<void>(undone);
    }
    return outcome;
  }

  Status forget_deleted(const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const auto turn, writers_turn(deadline));
    ASSIGN_OR_RETURN(const Rows rows, writer_->query("PRAGMA wal_checkpoint(TRUNCATE)", {}, deadline));
    const bool blocked = rows.empty() || rows[0][0].number() != 0;
    if (blocked) return Error{ErrorKind::unavailable, "sqlite: a reader holds the log"};
    return done();
  }

 protected:
  Status run_script(Session& session, std::string_view sql, const Deadline& deadline) override {
    constexpr std::string_view clustered = "/*clustered*/";
    std::string text(sql);
    for (std::size_t at = text.find(clustered); at != std::string::npos; at = text.find(clustered, at)) {
      text.replace(at, clustered.size(), "WITHOUT ROWID");
    }
    return static_cast<SqliteConnection&>(session).run_script(text, deadline);
  }

 private:
  using Turn = std::unique_lock<std::timed_mutex>;
  Result<std::shared_ptr<Turn>> writers_turn(const Deadline& deadline) {
    auto turn = std::make_shared<Turn>(writer_mutex_, std::defer_lock);
    if (!turn->try_lock_until(deadline.at)) return Error{ErrorKind::unavailable, "sqlite: another writer is at work"};
    return turn;
  }

  Result<std::unique_ptr<SqliteConnection>> take_reader(const Deadline& deadline) {
    {
      const std::lock_guard lock(readers_mutex_);
      if (!readers_.empty()) {
        std::unique_ptr<SqliteConnection> reader = std::move(readers_.back());
        readers_.pop_back();
        return reader;
      }
    }
    return SqliteConnection::open(path_, deadline);
  }
  void give_back(std::unique_ptr<SqliteConnection> reader) {
    const std::lock_guard lock(readers_mutex_);
    if (readers_.size() < readers_idle_max) readers_.push_back(std::move(reader));
  }

  const std::string path_;
  std::timed_mutex writer_mutex_;
  const std::unique_ptr<SqliteConnection> writer_;
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<SqliteConnection>> readers_;
};

}  // namespace

Result<std::unique_ptr<Records>> open_sqlite(const std::string& path, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> writer, SqliteConnection::open(path, deadline));
  return std::unique_ptr<Records>(new SqliteRecords(path, std::move(writer)));
}

}  // namespace mailhold::records
