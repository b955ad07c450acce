// What was unpacked from an export of a mailbox, checked against its manifest, and the manifest against the ledger's receipt.
//
// Design: docs/formats/export.md
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "formats/tlog/note.h"

namespace mailhold::ledger {

inline constexpr std::size_t manifest_bytes_max = std::size_t{1} << 30;
inline constexpr std::string_view export_entry_type = "export.made";

struct ManifestLine {
  std::string name;    // below the folder of the manifest, and never leaving it
  std::string sha256;  // raw
};
// invalid_input names the line: not a hash and a name, a name that leaves the folder, or a name twice.
Result<std::vector<ManifestLine>> parse_manifest(std::string_view text);

struct ExportVerdict {
  bool sound = false;
  std::string fault;  // the first thing that does not fit
  Id tenant;
  std::string mailbox;
  std::int64_t items = 0;
  std::int64_t failed = 0;  // items that the export itself says did not open
  Milliseconds at = 0;      // when the ledger took it
  std::uint64_t index = 0;  // in the log
  std::size_t files = 0;
};

// Reads every file below the folder; symbolic links and files that the manifest does not name are faults.
ExportVerdict verify_export(const std::filesystem::path& folder, const tlog::NoteKey& key);

}  // namespace mailhold::ledger
