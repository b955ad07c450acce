// Records in one SQLite file: write-ahead log, synchronous FULL, foreign keys, deleted rows overwritten.
// One connection writes, a few read beside it; statements are prepared once for each connection.
#pragma once

#include <memory>
#include <string>

#include "platform/records/records.h"

namespace mailhold::records {

Result<std::unique_ptr<Records>> open_sqlite(const std::string& path, const Deadline& deadline);

}  // namespace mailhold::records
