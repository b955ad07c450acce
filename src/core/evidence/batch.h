// Batches: what the journal is made of, one for each group commit.
//
// Design: docs/formats/ledger.md, "Batches"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "formats/tlog/merkle.h"

namespace mailhold::ledger {

inline constexpr std::size_t batch_entries_max = 1024;
inline constexpr std::size_t batch_bytes_max = 64U << 20;

struct Batch {
  std::uint64_t first = 0;  // index of the first entry
  Milliseconds time = 0;
  std::vector<std::string_view> entries;
  tlog::Hash root;        // of the tree that ends with this batch
  std::string signature;  // over the checkpoint of that size and root

  std::uint64_t end() const { return first + entries.size(); }
};

std::string encode(const Batch& batch);

enum class BatchState { whole, torn, damaged };
struct ParsedBatch {
  BatchState state = BatchState::damaged;
  Batch batch;            // views into the input
  std::size_t bytes = 0;  // its length, or all that is left if it does not say
};
// The batch at `offset` of a journal. torn: the file ends within it, or a block of it is zero, as after a power cut.
ParsedBatch parse_batch(std::string_view journal, std::size_t offset);

}  // namespace mailhold::ledger
