// Snapshot: what a log would know after reading its first `size` entries, so that a start need not read
// them. Signed by the log's own key, and only as good as the tree it names: a start checks that the tiles lead to its root.
//
// Design: docs/formats/ledger.md, "State snapshot"
#pragma once

#include <filesystem>
#include <string>

#include "core/evidence/chains.h"
#include "formats/tlog/note.h"
#include "platform/crypto/ed25519.h"

namespace mailhold::ledger {

inline constexpr const char* snapshot_name = "state";

struct Snapshot {
  std::uint64_t size = 0;
  Hash root;
  Milliseconds last_at = 0;
  Chains chains;
};

std::string encode_snapshot(std::uint64_t size, const Hash& root, Milliseconds last_at, const Chains& chains,
                            const crypto::Ed25519Signer& signer, const std::string& origin);
Result<Snapshot> parse_snapshot(std::string_view bytes, const tlog::NoteKey& log_key);  // corrupt
// not_found: there is none. corrupt, unavailable: it is not used.
Result<Snapshot> read_snapshot(const std::filesystem::path& log_folder, const tlog::NoteKey& log_key);

}  // namespace mailhold::ledger
