#include "platform/records/postgres/postgres_connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/text.h"

namespace mailhold::records {
namespace {

// Types of the server's catalogue, pg_type.dat.
constexpr Oid oid_bool = 16, oid_bytea = 17, oid_int8 = 20, oid_int2 = 21, oid_int4 = 23, oid_text = 25;
constexpr int binary = 1;
constexpr std::chrono::milliseconds look_at_stop_every(200);

Error error_of(const PGresult* answer) {
  const char* field = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
  const std::string state = field != nullptr ? field : "";
  ErrorKind kind = ErrorKind::bug;
  if (state == "23505")
    kind = ErrorKind::already_exists;  // unique_violation
  else if (state.starts_with("23"))
    kind = ErrorKind::invalid_input;  // another constraint
  else if (state.starts_with("22"))
    kind = ErrorKind::invalid_input;  // a value no column of that type holds
  else if (state == "57014")
    kind = ErrorKind::timed_out;  // query_canceled
  else if (state.starts_with("40") || state.starts_with("08") || state.starts_with("53") || state.starts_with("57") ||
           state.starts_with("58") || state == "55P03" || state == "25006")
    kind = ErrorKind::unavailable;
  else if (state.starts_with("XX"))
    kind = ErrorKind::corrupt;
  // The primary message names tables and columns; values stand in the detail field, which is left out.
  const char* message = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
  return Error{kind, "postgresql: " + state + " " + (message != nullptr ? message : "")};
}

Oid type_of(const Value& value) {
  switch (value.variant().index()) {
    case 1: return oid_int8;
    case 2: return oid_text;
    case 3: return oid_bytea;
    default: return 0;
  }
}

Result<Value> column(const PGresult* answer, int row, int index) {
  if (PQgetisnull(answer, row, index) != 0) return Value();
  const std::string_view bytes(PQgetvalue(answer, row, index), static_cast<std::size_t>(PQgetlength(answer, row, index)));
  ByteReader reader(bytes);
  switch (PQftype(answer, index)) {
    case oid_int8: return Value(static_cast<std::int64_t>(reader.u64()));
    case oid_int4: return Value(std::int64_t{static_cast<std::int32_t>(reader.u32())});
    case oid_int2: return Value(std::int64_t{static_cast<std::int16_t>(reader.u16())});
    case oid_bool: return Value(std::int64_t{reader.u8()});
    case oid_bytea: return Value::bytes_of(bytes);
    case oid_text: return Value(std::string(bytes));
    default: return Error{ErrorKind::bug, "postgresql: cast this column to bigint, text or bytea"};
  }
}

}  // namespace

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const std::string& address, const Deadline& deadline) {
  std::unique_ptr<PostgresConnection> connection(new PostgresConnection(PQconnectStart(address.c_str())));
  RETURN_IF_ERROR(connection->finish_connecting(deadline));
  PQsetnonblocking(connection->connection_, 1);
  // No notices on standard error: they may hold values.
  PQsetNoticeReceiver(connection->connection_, [](void*, const PGresult*) {}, nullptr);
  RETURN_IF_ERROR(connection->run_script("SET synchronous_commit = on; SET client_encoding = 'UTF8'", deadline));
  return connection;
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

Error PostgresConnection::lost() {
  usable_ = false;
  // libpq's own message may hold the address with its password.
  return Error{ErrorKind::unavailable, "postgresql: the connection failed"};
}

Status PostgresConnection::finish_connecting(const Deadline& deadline) {
  if (connection_ == nullptr || PQstatus(connection_) == CONNECTION_BAD) return lost();
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK; next = PQconnectPoll(connection_)) {
    if (next == PGRES_POLLING_FAILED) return lost();
    RETURN_IF_ERROR(wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
  }
  return done();
}

Status PostgresConnection::wait(short events, const Deadline& deadline) {
  for (;;) {
    if (deadline.stop.stop_requested()) {
      usable_ = false;
      return Error{ErrorKind::cancelled, "postgresql: stopped"};
    }
    const auto left = deadline.left();
    if (left.count() == 0) {
      usable_ = false;
      return Error{ErrorKind::timed_out, "postgresql: no answer in time"};
    }
    pollfd entry{PQsocket(connection_), events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min(left, look_at_stop_every).count()));
    if (ready < 0 && errno != EINTR) return lost();
    if (ready > 0) return done();
  }
}

// The one answer to what was sent, or its error.
Result<PostgresConnection::Answer> PostgresConnection::receive(const Deadline& deadline) {
  const auto give_up = [this](Error error) {
    if (PGcancel* cancel = PQgetCancel(connection_); cancel != nullptr) {
      char text[256];
      PQcancel(cancel, text, sizeof text);
      PQfreeCancel(cancel);
    }
    return error;
  };
  for (int rest = PQflush(connection_); rest != 0; rest = PQflush(connection_)) {
    if (rest < 0) return lost();
    if (Status ready = wait(POLLIN | POLLOUT, deadline); !ready) return give_up(ready.error());
    if (PQconsumeInput(connection_) == 0) return lost();
  }
  Answer last;
  for (;;) {
    while (PQisBusy(connection_) != 0) {
      if (Status ready = wait(POLLIN, deadline); !ready) return give_up(ready.error());
      if (PQconsumeInput(connection_) == 0) return lost();
    }
    Answer answer(PQgetResult(connection_));
    if (answer == nullptr) break;
    const bool failed_before = last != nullptr && PQresultStatus(last.get()) == PGRES_FATAL_ERROR;
    if (!failed_before) last = std::move(answer);
  }
  if (last == nullptr) return lost();
  const ExecStatusType status = PQresultStatus(last.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return last;
  if (PQstatus(connection_) != CONNECTION_OK) return lost();
  return error_of(last.get());
}

Status PostgresConnection::run_script(const std::string& sql, const Deadline& deadline) {
  if (PQsendQuery(connection_, sql.c_str()) == 0) return lost();
  ASSIGN_OR_RETURN(const Answer answer, receive(deadline));
  return done();
}

Result<std::string> PostgresConnection::prepare(std::string_view sql, const Values& parameters, const Deadline& deadline) {
  std::vector<Oid> types;
  std::string key;
  for (const Value& value : parameters) {
    types.push_back(type_of(value));
    key += static_cast<char>('0' + value.variant().index());
  }
  key += sql;
  if (const auto found = statements_.find(key); found != statements_.end()) return found->second;
  const std::string name = "s" + std::to_string(statements_.size());
  if (PQsendPrepare(connection_, name.c_str(), std::string(sql).c_str(), static_cast<int>(types.size()), types.data()) == 0)
    return lost();
  ASSIGN_OR_RETURN(const Answer answer, receive(deadline));
  statements_.emplace(key, name);
  return name;
}

Result<PostgresConnection::Answer> PostgresConnection::run(std::string_view sql, const Values& parameters,
                                                           const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string name, prepare(sql, parameters, deadline));
  std::vector<std::string> encoded(parameters.size());
  std::vector<const char*> values(parameters.size(), nullptr);
  std::vector<int> lengths(parameters.size(), 0), formats(parameters.size(), binary);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Value& value = parameters[i];
    if (value.is_null()) continue;
    const std::string* bytes = &encoded[i];
    if (type_of(value) == oid_int8)
      encoded[i] = ByteWriter().u64(static_cast<std::uint64_t>(value.number())).take();
    else
      bytes = type_of(value) == oid_text ? &value.text() : &value.bytes();
    values[i] = bytes->data();
    lengths[i] = static_cast<int>(bytes->size());
  }
  if (PQsendQueryPrepared(connection_, name.c_str(), static_cast<int>(values.size()), values.data(), lengths.data(),
                          formats.data(), binary) == 0)
    return lost();
  return receive(deadline);
}

Result<Rows> PostgresConnection::query(std::string_view sql, const Values& parameters, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Answer answer, run(sql, parameters, deadline));
  Rows rows(static_cast<std::size_t>(PQntuples(answer.get())));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (int index = 0; index < PQnfields(answer.get()); ++index) {
      ASSIGN_OR_RETURN(Value value, column(answer.get(), static_cast<int>(row), index));
      rows[row].push_back(std::move(value));
    }
  }
  return rows;
}

Result<std::uint64_t> PostgresConnection::execute(std::string_view sql, const Values& parameters, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Answer answer, run(sql, parameters, deadline));
  return to_number(PQcmdTuples(answer.get())).value_or(0);
}

Result<std::uint64_t> PostgresConnection::execute_batch(std::string_view sql, const std::vector<Values>& rows,
                                                        const Deadline& deadline) {
  std::uint64_t changed = 0;
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN(const std::uint64_t count, execute(sql, row, deadline));
    changed += count;
  }
  return changed;
}

}  // namespace mailhold::records
