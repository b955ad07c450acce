// PostgresConnection: one connection with its prepared statements. Internal to this room; one thread at a time.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "platform/records/records.h"

namespace mailhold::records {

class PostgresConnection final : public Session {
 public:
  static Result<std::unique_ptr<PostgresConnection>> open(const std::string& address, const Deadline& deadline);
  ~PostgresConnection() override;

  Result<std::uint64_t> execute(std::string_view sql, const Values& parameters, const Deadline& deadline) override;
  Result<std::uint64_t> execute_batch(std::string_view sql, const std::vector<Values>& rows, const Deadline& deadline) override;
  Result<Rows> query(std::string_view sql, const Values& parameters, const Deadline& deadline) override;

  Status run_script(const std::string& sql, const Deadline& deadline);
  // False after a lost connection or a call that was given up: the server may be in the middle of something.
  bool is_usable() const { return usable_ && PQstatus(connection_) == CONNECTION_OK; }

 private:
  struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Answer = std::unique_ptr<PGresult, ClearResult>;

  explicit PostgresConnection(PGconn* connection) : connection_(connection) {}
  Status wait(short events, const Deadline& deadline);
  Status finish_connecting(const Deadline& deadline);
  Result<Answer> receive(const Deadline& deadline);
  Result<std::string> prepare(std::string_view sql, const Values& parameters, const Deadline& deadline);
  Result<Answer> run(std::string_view sql, const Values& parameters, const Deadline& deadline);
  Error lost();

  PGconn* const connection_;
  bool usable_ = true;
  std::unordered_map<std::string, std::string> statements_;  // text and types of parameters -> name
};

}  // namespace mailhold::records
