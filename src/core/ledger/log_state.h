// What a Log consists of. Private to log.cpp (callers and queue) and log_commit.cpp (disk).
//
// Two locks. `mutex` guards the members below it, for short. `committing` is held by whoever writes to
// the folder: the committer for a batch, reopen() for all it does. Order: committing, then mutex.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/evidence/batch.h"
#include "core/evidence/chains.h"
#include "core/ledger/log.h"
#include "formats/tlog/merkle.h"

namespace mailhold::ledger {

struct Log::State {
  State(LogSettings given, crypto::Ed25519Signer with, const Clock& the_clock, LogStorage& the_storage)
      : settings(std::move(given)), signer(std::move(with)), clock(the_clock), storage(the_storage) {}
  ~State();

  struct Waiting {
    Append append;
    AppendDone done;
  };
  using HeadsDone = std::function<void(Status)>;

  void run(const std::stop_token& stop);
  void commit_events(std::vector<Waiting> waiting);
  void answer_heads(const std::vector<HeadsDone>& asked);
  void fail(const Error& error);

  // All of these with `committing` held.
  Status reopen();
  Status take_folder_lock();
  Status make_folder_if_new();
  Status start_from_disk();
  Result<Receipt> write_batch(const std::vector<std::string>& entries);  // a receipt without index, proof and entry
  Result<Receipt> write_heads_entry(bool even_if_unchanged);
  Status publish(bool new_journal);
  Status write_tiles(std::uint64_t old_size, std::uint64_t new_size);
  void remove_replaced_files(std::uint64_t old_size, std::uint64_t new_size);
  Status start_journal();
  void write_snapshot_if_due();
  void keep_head_proofs();
  Milliseconds next_time();

  const LogSettings settings;
  const crypto::Ed25519Signer signer;
  const Clock& clock;
  LogStorage& storage;

  std::mutex committing;
  int folder_lock = -1;
  std::unique_ptr<JournalFile> journal;
  std::uint64_t journal_bytes = 0;
  std::optional<Error> failure = Error{ErrorKind::unavailable, "ledger: not opened yet"};
  tlog::Tree tree;
  std::uint64_t events_since_heads = 0;
  std::uint64_t acknowledged_size = 0;  // survives reopen(): what callers hold receipts for
  Hash acknowledged_root;
  std::uint64_t heads_index = 0;
  std::string heads_entry;
  std::uint64_t snapshot_written_size = 0;

  mutable std::mutex mutex;
  std::condition_variable_any wake;
  bool open = false;
  bool stopping = false;
  std::string failure_text = "not opened yet";
  std::deque<Waiting> waiting;
  std::vector<HeadsDone> heads_asked;
  Chains chains;
  std::deque<std::string> open_entries;  // from open_entries_first on: not all in full bundles yet
  std::uint64_t open_entries_first = 0;
  std::uint64_t durable_size = 0;
  std::uint64_t published_size = 0;
  std::string checkpoint_note;
  Milliseconds last_at = 0;
  std::uint64_t batches = 0;
  std::uint64_t cut_bytes = 0;
  std::vector<TenantHead> proven_heads;  // as of the last heads entry
  tlog::Tree proven_heads_tree;
  HeadProof proven;  // what all head proofs have in common; its checkpoint is empty while there is none
  std::uint64_t snapshot_size = 0;
  std::jthread committer;
};

}  // namespace mailhold::ledger
