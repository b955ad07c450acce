// SealedVfs: lets SQLite read the pages of a SealedFile as if it were a database in a file. It can read and nothing else: no
// journal, no lock, no temporary file. Internal to this room.
//
// Design: docs/formats/search.md; https://www.sqlite.org/vfs.html
#pragma once

#include <string>

#include "features/search/sealed_file.h"
#include "features/search/sqlite_handle.h"

namespace mailhold::search {

// A database over the file, which must outlive it. `cache_bytes`: of opened pages in memory. corrupt: no database.
Result<Database> open_sealed(SealedFile& file, std::size_t cache_bytes);

}  // namespace mailhold::search
