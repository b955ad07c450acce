// The methods of ledgerd and the encodings of what is asked and answered: base/bytes.h, fields in the order given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/ledger/log.h"

namespace mailhold::ledger {

enum class Method : std::uint16_t {
  append = 1,           // Append -> Receipt, without clear text
  head_proof = 2,       // tenant -> HeadProof
  checkpoint = 3,       // () -> signed note
  key = 4,              // () -> text of the log's NoteKey
  witness_tasks = 5,    // () -> list of WitnessTask: what gossipd is to ask witnesses
  witness_outcome = 6,  // WitnessOutcome -> ()
};

std::string encode(const Append& append);
Result<Append> parse_append(std::string_view bytes);

// One add-checkpoint request, ready to be sent.
struct WitnessTask {
  std::uint32_t witness = 0;  // its place in the settings
  std::uint64_t size = 0;     // of the checkpoint in the body
  std::uint64_t old_size = 0;
  std::string url;
  std::string key_name;  // whose signature line is wanted
  std::uint32_t key_id = 0;
  std::string body;
};
// What came of it, reduced to what ledgerd needs: it parses nothing that came from the net.
struct WitnessOutcome {
  enum class Kind : std::uint8_t { cosigned, conflict, refused, away };
  std::uint32_t witness = 0;
  std::uint64_t size = 0;      // of the task
  std::uint64_t old_size = 0;  // of the task
  Kind kind = Kind::away;
  std::uint32_t status = 0;         // of HTTP
  std::uint64_t conflict_size = 0;  // conflict: what the witness cosigned last
  std::string signature;            // cosigned: time and signature, 72 bytes
};
std::string encode(const std::vector<WitnessTask>& tasks);
Result<std::vector<WitnessTask>> parse_witness_tasks(std::string_view bytes);
std::string encode(const WitnessOutcome& outcome);
Result<WitnessOutcome> parse_witness_outcome(std::string_view bytes);  // corrupt

}  // namespace mailhold::ledger
