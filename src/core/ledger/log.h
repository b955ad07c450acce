// Log: the region's one ledger on disk. Appends of many callers share one fdatasync; each gets a
// receipt once its entry is durable, never before. After any failure of the disk it refuses
// everything until reopen() has verified it from disk.
//
// Any thread may call; callbacks come from the log's own thread and must not wait. One process at a time holds a folder.
//
// Design: docs/formats/ledger.md
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/secret_text.h"
#include "core/evidence/entry.h"
#include "core/evidence/head_proof.h"
#include "core/evidence/receipt.h"
#include "core/ledger/log_storage.h"
#include "platform/crypto/ed25519.h"

namespace mailhold::ledger {

struct LogSettings {
  std::filesystem::path folder;
  std::string origin;                            // name of the log and of its key: "mailhold.example/eu"
  std::size_t waiting_entries_max = 16'384;      // beyond it appends are refused
  std::uint64_t publish_after_entries = 16'384;  // at the latest; else with the heads of each minute
  std::uint64_t journal_bytes_max = 64U << 20;
  std::uint64_t snapshot_after_entries = 131'072;  // a start reads at most about so many
};

// What a caller asks to be appended; order, time and chains are the log's to add.
struct Append {
  Id tenant;
  Id connection;  // may be none
  Hash commitment;
  std::string payload;  // encoded Payload
};

struct LogStatus {
  bool open = false;
  std::string failure;  // why it is not open
  std::uint64_t size = 0;
  std::uint64_t published_size = 0;
  std::uint64_t tenants = 0;
  Milliseconds last_at = 0;
  std::uint64_t batches = 0;        // since the start of the process
  std::uint64_t cut_bytes = 0;      // torn tail that the last opening cut off
  std::uint64_t snapshot_size = 0;  // entries the last opening did not need to read
};

struct StoredEntry {
  std::uint64_t index = 0;
  std::string bytes;
};

// A piece of a tenant's bundle (docs/formats/ledger.md, "Bundles").
struct BundleQuestion {
  Id tenant;
  std::uint64_t from = 1;      // seq of the first entry
  std::uint64_t old_size = 0;  // of a checkpoint the tenant has; 0: none
  std::uint64_t size = 0;      // of the checkpoint that an earlier piece was proven against; 0: this is the first piece
  std::uint64_t last = 0;      // with size: seq of the last entry, as the first piece said
  std::uint64_t entries_max = 200;
};
struct BundlePiece {
  std::string bytes;       // the first piece begins with the bundle's head
  std::uint64_t size = 0;  // of the checkpoint
  std::uint64_t last = 0;  // seq of the bundle's last entry
  std::uint64_t next = 0;  // where to go on; 0: complete
};

using AppendDone = std::function<void(Result<Receipt>)>;

class Log {
 public:
  // Starts as not open: call reopen(). The storage and clock must outlive it.
  Log(LogSettings settings, crypto::Ed25519Signer signer, const Clock& clock = system_clock(),
      LogStorage& storage = disk_storage());
  ~Log();  // writes heads and checkpoint if it is sound, and answers everybody
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Verifies the whole folder (making a new log if it is empty), cuts what was never acknowledged, and starts a new journal.
  // corrupt: the folder is not what was signed. unavailable: the disk failed, or another process holds it.
  Status reopen();

  // `done` is called exactly once, perhaps before this returns: with a receipt, or unavailable if the log is not open or
  // fails, limit_exceeded if too many wait, invalid_input for a payload of impossible size or no tenant.
  void submit(Append append, AppendDone done);
  // The same, waiting. timed_out: it may yet be written.
  Result<Receipt> append(Append append, const Deadline& deadline);

  // Writes a heads entry if any event came since the last, then tiles and checkpoint.
  Status write_heads(const Deadline& deadline);

  // Entries of a tenant by its own numbering, from `first_seq` on.
  Result<std::vector<StoredEntry>> entries_of(Id tenant, std::uint64_t first_seq, std::size_t count_max) const;
  // As of the last heads entry; not_found if the tenant had no entry then.
  Result<HeadProof> head_proof(Id tenant) const;
  std::string checkpoint() const;  // the newest published note; empty if not open
  // The checkpoint that ends with the newest heads entry: what witnesses are asked to cosign. Empty before the first.
  std::string heads_checkpoint() const;
  // The same with cosignatures. False, and nothing is kept, if another one has taken its place meanwhile.
  bool set_cosigned(const std::string& note);
  // As of the last heads entry. not_found: no entry of this tenant then. invalid_input: `old_size` or `from` lie beyond.
  Result<BundlePiece> bundle(const BundleQuestion& question) const;
  // Consistency proof from a size to a published one. invalid_input unless old_size <= size <= published.
  Result<tlog::Proof> growth(std::uint64_t old_size, std::uint64_t size) const;
  // From now on nothing is accepted, as after a failure: somebody outside has proof that this is not the whole log.
  void stop(const Error& reason);
  tlog::NoteKey key() const;
  LogStatus status() const;
  const LogSettings& settings() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::ledger
