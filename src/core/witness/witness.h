// Witness: cosigns a log's checkpoints as long as each extends the one before. What it cosigned last is
// durable before the cosignature leaves, so that neither a restart nor a crash makes it sign two histories.
//
// Any thread may call. One process at a time holds a folder.
//
// Specification: C2SP tlog-witness, tlog-cosignature
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "formats/tlog/checkpoint.h"
#include "formats/tlog/cosignature.h"

namespace mailhold::witness {

struct WitnessAnswer {
  int status = 200;          // of HTTP, as the specification says
  std::string content_type;  // empty: plain text
  std::string body;          // 200: signature lines; 409: the size it cosigned last; else what is wrong
};

struct WitnessSettings {
  std::filesystem::path folder;     // exists; one file for each log, and evidence
  std::string name;                 // of its key, as in "witness.example/w1"
  std::vector<tlog::NoteKey> logs;  // whom it cosigns for; several keys of one origin are allowed
};

class Witness {
 public:
  // Reads what it cosigned before. corrupt: a file of its own does not verify; it must then not serve, because it no longer
  // knows what it has signed. unavailable: the folder cannot be read, or another process holds it.
  static Result<std::unique_ptr<Witness>> open(WitnessSettings settings, crypto::Ed25519Signer signer,
                                               const Clock& clock = system_clock());
  ~Witness();

  // The body of POST .../add-checkpoint.
  //   200 cosigned and durable   400 malformed          403 no known key signed it     404 unknown log
  //   409 old size is not what it cosigned last, or same size with another root       422 proof does not hold
  //   503 its disk failed: nothing was signed
  WitnessAnswer add_checkpoint(std::string_view body);

  tlog::CosignerKey key() const { return {settings_.name, signer_.public_key()}; }
  std::uint64_t size_of(const std::string& origin) const;  // cosigned last; 0 if never

 private:
  Witness(WitnessSettings settings, crypto::Ed25519Signer signer, const Clock& clock)
      : settings_(std::move(settings)), signer_(std::move(signer)), clock_(clock) {}
  Status take_folder_lock();
  Status read_folder();
  bool is_signed_by_its_log(const tlog::SignedNote& note, const std::string& origin) const;
  bool knows(const std::string& origin) const;
  Status remember(const tlog::Checkpoint& checkpoint, const std::string& note);
  void keep_evidence(const std::string& origin, std::string_view request);
  std::filesystem::path file_of(const std::string& origin) const;

  const WitnessSettings settings_;
  const crypto::Ed25519Signer signer_;
  const Clock& clock_;
  int folder_lock_ = -1;
  mutable std::mutex mutex_;                          // held from comparing the old size until the new state is durable
  std::map<std::string, tlog::Checkpoint> cosigned_;  // guarded by mutex_; by origin
};

}  // namespace mailhold::witness
