// The body of add-checkpoint (C2SP tlog-witness): the size that the log believes the witness to have seen, a
// consistency proof from there, and the new checkpoint.
//
//   old 20852014
//   <base64 of a hash>        as many as the proof has
//                             an empty line
//   <signed note>
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/tlog/merkle.h"

namespace mailhold::tlog {

inline constexpr std::size_t witness_proof_hashes_max = 63;  // as the specification says
inline constexpr std::size_t witness_request_bytes_max = 64 * 1024;

struct WitnessRequest {
  std::uint64_t old_size = 0;
  Proof proof;
  std::string note;

  std::string encode() const;
  static Result<WitnessRequest> parse(
      std::string_view body);  // invalid_input unless encode() gives the same; the note is not read
};

}  // namespace mailhold::tlog
