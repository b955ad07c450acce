// LogReader: reads and verifies the folder of a log from its first entry to its last. What it finds is
// what the Log goes on from and what the Verifier reports. It writes nothing.
//
// Design: docs/formats/ledger.md, "Verifying a whole log"
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/evidence/batch.h"
#include "core/evidence/chains.h"
#include "core/evidence/snapshot.h"
#include "core/evidence/verifier.h"
#include "formats/tlog/checkpoint.h"
#include "formats/tlog/merkle.h"
#include "formats/tlog/tiles.h"

namespace mailhold::ledger {

inline constexpr const char* cosigned_checkpoint_name = "checkpoint.cosigned";

std::filesystem::path journal_path(const std::filesystem::path& folder, std::uint64_t first);
// Journals of a folder by first index.
Result<std::map<std::uint64_t, std::filesystem::path>> find_journals(const std::filesystem::path& folder);
// From disk rather than from the page cache, which may hold what a failed write left. not_found, unavailable.
Result<std::string> read_from_disk(const std::filesystem::path& path, std::size_t bytes_max);
// The same, from the page cache if it has it.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);

class LogReader {
 public:
  LogReader(std::filesystem::path folder, tlog::NoteKey key, Journal journal)
      : folder_(std::move(folder)), key_(std::move(key)), journal_(journal) {}

  // Before read(): only what came after the snapshot is read and verified, if the tiles lead to its root. Else all is.
  void start_from(Snapshot snapshot) { snapshot_ = std::move(snapshot); }
  std::uint64_t started_from() const { return started_from_; }  // after read(): entries that were not read

  // corrupt: something does not fit, see first_wrong(). unavailable: a file could not be read.
  Status read();
  std::optional<std::uint64_t> first_wrong() const { return first_wrong_; }
  // After read(): the root at a size between that of the checkpoint and the end.
  Result<Hash> root_at(std::uint64_t size) const { return tlog::root_of(tree, size); }

  // What was found. Complete only if read() succeeded.
  std::string checkpoint_note;
  tlog::Checkpoint checkpoint;
  tlog::Tree tree;
  Chains chains;
  std::deque<std::string> open_entries;  // those of the bundle that is partial in the checkpoint, and all later ones
  std::uint64_t open_entries_first = 0;
  Milliseconds last_at = 0;
  std::uint64_t heads_count = 0;
  struct Torn {
    std::filesystem::path journal;
    std::uint64_t keep_bytes = 0;
  };
  std::optional<Torn> torn;

 private:
  Error wrong(std::uint64_t index, const std::string& what);
  Status read_checkpoint();
  Status use_snapshot();
  Status read_journals();
  Status read_journal(std::uint64_t first, const std::filesystem::path& path, bool is_last);
  Status read_bundles();
  Status read_bundle(const tlog::Tile& bundle);
  Result<std::string> read_tile_file(const tlog::Tile& tile, std::uint64_t first_index);
  Status check_tiles(const std::vector<tlog::Tile>& tiles);
  Status read_rest_of_journals();
  Status take_entry(std::string_view bytes);
  Status check_batch_end();
  std::string_view journal_entry(std::uint64_t index) const;

  const std::filesystem::path folder_;
  const tlog::NoteKey key_;
  const Journal journal_;
  std::optional<Snapshot> snapshot_;
  std::uint64_t started_from_ = 0;
  std::optional<std::uint64_t> first_wrong_;
  std::deque<std::string> journal_bytes_;   // what the batches point into
  std::map<std::uint64_t, Batch> batches_;  // by end
  std::uint64_t journal_first_ = 0;
  std::uint64_t journal_end_ = 0;
};

}  // namespace mailhold::ledger
