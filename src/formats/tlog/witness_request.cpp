#include "formats/tlog/witness_request.h"

#include "base/text.h"

namespace mailhold::tlog {
namespace {

Error malformed(const char* what) { return Error{ErrorKind::invalid_input, std::string("add-checkpoint: ") + what}; }

}  // namespace

std::string WitnessRequest::encode() const {
  std::string body = "old " + std::to_string(old_size) + "\n";
  for (const Hash& hash : proof) body += to_base64(hash.bytes()) + "\n";
  return body + "\n" + note;
}

Result<WitnessRequest> WitnessRequest::parse(std::string_view body) {
  if (body.size() > witness_request_bytes_max) return malformed("too long");
  const auto divide = body.find("\n\n");
  if (divide == body.npos) return malformed("no empty line before the checkpoint");
  const auto lines = split(body.substr(0, divide), '\n');
  if (!lines[0].starts_with("old ")) return malformed("does not begin with the old size");
  const auto old_size = to_number(lines[0].substr(4));
  if (!old_size || *old_size > INT64_MAX || std::to_string(*old_size) != lines[0].substr(4))
    return malformed("old size is not a number");
  if (lines.size() - 1 > witness_proof_hashes_max) return malformed("proof too long");
  WitnessRequest request{*old_size, {}, std::string(body.substr(divide + 2))};
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto hash = from_base64(lines[i]);
    if (!hash || hash->size() != Hash::size) return malformed("a line of the proof is not a hash");
    request.proof.push_back(Hash::from_bytes(*hash));
  }
  return request;
}

}  // namespace mailhold::tlog
