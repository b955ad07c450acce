// The methods of ledgerd and the encodings of what is asked and answered: base/bytes.h, fields in the order given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/ledger/log.h"

namespace mailhold::ledger {

enum class Method : std::uint16_t {
  append = 1,      // Append -> Receipt, without clear text
  head_proof = 2,  // tenant -> HeadProof
  checkpoint = 3,  // () -> signed note
  key = 4,         // () -> text of the log's NoteKey
};

std::string encode(const Append& append);
Result<Append> parse_append(std::string_view bytes);

}  // namespace mailhold::ledger
