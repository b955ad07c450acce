// Bundle: what a tenant is given to check its part of the ledger offline: its entries, each with its proof,
// the number of them at a minute, and the checkpoint all of it leads to, with its cosignatures.
//
// Design: docs/formats/ledger.md, "Bundles"
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/evidence/head_proof.h"
#include "core/evidence/witness_policy.h"

namespace mailhold::ledger {

struct BundleHead {
  HeadProof head;
  std::uint64_t first = 1;     // seq of the first entry in it; the last is head.head.seq
  std::uint64_t old_size = 0;  // of a checkpoint the tenant has; 0: none
  tlog::Proof growth;          // consistency proof from there

  std::uint64_t count() const { return head.head.seq + 1 - first; }
};
struct BundleEntry {
  std::uint64_t index = 0;
  std::string entry;
  tlog::Proof path;
};

std::string encode(const BundleHead& head);    // the beginning of the file
std::string encode(const BundleEntry& entry);  // as many as count(), in order of seq

// What the verifier remembers from one bundle to the next of the same log and tenant.
struct Remembered {
  Id tenant;
  Head head;               // newest entry of the tenant
  std::string checkpoint;  // signed note
  // Head of each connection of the tenant that was seen.
  struct Connection {
    Id id;
    Head head;
  };
  std::vector<Connection> connections;

  std::string encode() const;
  static Result<Remembered> parse(std::string_view bytes);  // corrupt
};

struct BundleExpected {
  tlog::NoteKey log_key;
  Id tenant;
  WitnessPolicy policy;
  std::optional<Remembered> remembered;  // from an earlier bundle; then this one must continue it
};

struct BundleVerdict {
  bool sound = false;
  std::string fault;
  std::optional<std::uint64_t> first_wrong;  // seq of the first entry that does not fit, where one can be named
  std::uint64_t size = 0;                    // of the checkpoint
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t connections = 0;  // with an entry in it
  Milliseconds heads_at = 0;      // the minute for which completeness is proven
  std::vector<Cosigned> cosigners;
  Remembered state;  // to remember, if sound
};

// Checks everything that docs/formats/ledger.md, "Verifying a bundle" lists. `each`, if given, sees every event that fits.
using EachEvent = std::function<void(std::uint64_t index, const Event& event, std::string_view bytes)>;
BundleVerdict verify_bundle(std::string_view bytes, const BundleExpected& expected, const EachEvent& each = {});

}  // namespace mailhold::ledger
