#include "platform/records/postgres/postgres_records.h"

#include <condition_variable>
#include <mutex>

#include "platform/records/postgres/postgres_connection.h"

namespace mailhold::records {
namespace {

constexpr std::size_t connections_max = 8;

class PostgresRecords final : public Records {
 public:
  explicit PostgresRecords(std::string address) : address_(std::move(address)) {}

  Result<std::uint64_t> execute(std::string_view sql, const Values& parameters, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const Lease lease, take(deadline));
    return lease->execute(sql, parameters, deadline);
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
    ASSIGN_OR_RETURN(const Lease lease, take(deadline));
    return lease->query(sql, parameters, deadline);
  }

  Status transaction(const Work& work, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const Lease lease, take(deadline));
    RETURN_IF_ERROR(lease->run_script("BEGIN ISOLATION LEVEL SERIALIZABLE", deadline));
    Status outcome = work(*lease);
    if (outcome) outcome = lease->run_script("COMMIT", deadline);
    if (!outcome && lease->is_usable()) {
      const Status undone = lease->run_script("ROLLBACK", Deadline::after(std::chrono::seconds(5)));
      static_cast<void>(undone);  // if it failed the connection is dropped, which undoes as well
    }
    return outcome;
  }

  // Dead rows go with the server's own vacuum; its files are behind it.
  Status forget_deleted(const Deadline&) override { return done(); }

  Status check(const Deadline& deadline) {
    ASSIGN_OR_RETURN(const Lease lease, take(deadline));
    return done();
  }

 protected:
  Status run_script(Session& session, std::string_view sql, const Deadline& deadline) override {
    return static_cast<PostgresConnection&>(session).run_script(std::string(sql), deadline);
  }

 private:
  // Gives the connection back when it goes, or drops a broken one.
  using Lease = std::shared_ptr<PostgresConnection>;
  Result<Lease> take(const Deadline& deadline) {
    std::unique_ptr<PostgresConnection> connection;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline.stop, deadline.at, [this] { return used_ < connections_max; })) {
        return Error{ErrorKind::unavailable, "postgresql: all connections are in use"};
      }
      ++used_;
      if (!idle_.empty()) {
        connection = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (connection == nullptr || !connection->is_usable()) {
      Result<std::unique_ptr<PostgresConnection>> fresh = PostgresConnection::open(address_, deadline);
      if (!fresh) {
        give_back(nullptr);
        return fresh.error();
      }
      connection = std::move(*fresh);
    }
    return Lease(connection.release(),
                 [this](PostgresConnection* used) { give_back(std::unique_ptr<PostgresConnection>(used)); });
  }

  void give_back(std::unique_ptr<PostgresConnection> connection) {
    const std::lock_guard lock(mutex_);
    --used_;
    if (connection != nullptr && connection->is_usable()) idle_.push_back(std::move(connection));
    changed_.notify_one();
  }

  const std::string address_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<PostgresConnection>> idle_;
};

}  // namespace

Result<std::unique_ptr<Records>> open_postgres(const std::string& address, const Deadline& deadline) {
  auto records = std::make_unique<PostgresRecords>(address);
  RETURN_IF_ERROR(records->check(deadline));
  return std::unique_ptr<Records>(std::move(records));
}

}  // namespace mailhold::records
