// By itself: a program that opens SQLite alone is not linked with libpq and all that this brings along.
#include "platform/records/postgres/postgres_records.h"
#include "platform/records/records.h"
#include "platform/records/sqlite/sqlite_records.h"

namespace mailhold::records {

Result<std::unique_ptr<Records>> open(std::string_view address, const Deadline& deadline) {
  constexpr std::string_view sqlite = "sqlite:";
  if (address.starts_with(sqlite)) return open_sqlite(std::string(address.substr(sqlite.size())), deadline);
  if (address.starts_with("postgresql:") || address.starts_with("postgres:"))
    return open_postgres(std::string(address), deadline);
  return Error{ErrorKind::invalid_input, "records must be sqlite:/path or postgresql://…"};
}

}  // namespace mailhold::records
