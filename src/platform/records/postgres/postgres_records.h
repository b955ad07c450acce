// Records in PostgreSQL, through libpq: a few connections, prepared statements, serializable transactions.
// A connection that failed is dropped and made anew with the next call.
#pragma once

#include <memory>
#include <string>

#include "platform/records/records.h"

namespace mailhold::records {

Result<std::unique_ptr<Records>> open_postgres(const std::string& address, const Deadline& deadline);

}  // namespace mailhold::records
