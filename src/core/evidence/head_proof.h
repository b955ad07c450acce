// HeadProof: that a tenant had exactly so many entries when a heads entry was written.
//
// Design: docs/formats/ledger.md, "Head proofs"
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "core/evidence/entry.h"
#include "formats/tlog/merkle.h"
#include "formats/tlog/note.h"

namespace mailhold::ledger {

struct HeadProof {
  Id tenant;
  Head head;
  std::uint64_t place = 0;  // among the heads
  tlog::Proof path;         // to the root in the heads entry
  std::uint64_t heads_index = 0;
  std::string heads_entry;
  tlog::Proof heads_path;  // to the root of the checkpoint
  std::string checkpoint;  // signed note, with whatever cosignatures there are

  std::string encode() const;
  static Result<HeadProof> parse(std::string_view bytes);  // corrupt
};
// corrupt or denied if anything does not hold.
Status verify_head_proof(const HeadProof& proof, const tlog::NoteKey& log_key);

// Merkle paths as all our formats write them: a count and so many hashes. An impossible count fails the reader.
void write_path(ByteWriter& writer, const tlog::Proof& path);
tlog::Proof read_path(ByteReader& reader);

}  // namespace mailhold::ledger
