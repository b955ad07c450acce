// Verifier: checks the folder of a log from the outside, with nothing but its public key.
// It reads only. For a log in use, leave the journal out: it is being written.
//
// Design: docs/formats/ledger.md, "Verifying a whole log"
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "formats/tlog/note.h"

namespace mailhold::ledger {

enum class Journal { checked, left_out };

struct Verdict {
  bool sound = false;
  std::string fault;                         // what does not fit
  std::optional<std::uint64_t> first_wrong;  // index of the first wrong entry, where one can be named
  std::uint64_t size = 0;                    // entries checked
  std::uint64_t checkpoint_size = 0;
  std::uint64_t tenants = 0;
  std::uint64_t heads = 0;  // heads entries among them
  bool torn_tail = false;   // a batch that was never acknowledged follows; harmless
};

Verdict verify_log(const std::filesystem::path& folder, const tlog::NoteKey& log_key, Journal journal);

}  // namespace mailhold::ledger
