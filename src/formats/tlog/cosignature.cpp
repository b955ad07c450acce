#include "formats/tlog/cosignature.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"

namespace mailhold::tlog {
namespace {

std::string signed_text(std::string_view checkpoint_text, std::uint64_t seconds) {
  return "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + std::string(checkpoint_text);
}

}  // namespace

Result<CosignerKey> CosignerKey::parse(std::string_view text) {
  ASSIGN_OR_RETURN(NamedKey key, parse_key_text(text, SignatureType::cosignature));
  return CosignerKey{std::move(key.name), std::move(key.public_key)};
}

NoteSignature cosign(std::string_view checkpoint_text, const std::string& name, const crypto::Ed25519Signer& signer,
                     std::uint64_t seconds) {
  const std::string signature = signer.sign(signed_text(checkpoint_text, seconds));
  return {name, CosignerKey{name, signer.public_key()}.id(), ByteWriter().u64(seconds).raw(signature).take()};
}

Result<std::uint64_t> verify_cosignature(const SignedNote& note, const CosignerKey& key) {
  const std::uint32_t id = key.id();
  std::optional<std::uint64_t> newest;
  for (const NoteSignature& line : note.signatures) {
    if (line.name != key.name || line.key_id != id) continue;
    ByteReader reader(line.signature);
    const std::uint64_t seconds = reader.u64();
    const std::string_view signature = reader.rest();
    if (!reader.ok() || seconds > INT64_MAX ||
        !crypto::ed25519_verify(key.public_key, signed_text(note.text, seconds), signature))
      return Error{ErrorKind::corrupt, "cosignature does not verify"};
    newest = std::max(newest.value_or(0), seconds);
  }
  if (!newest) return Error{ErrorKind::denied, "checkpoint is not cosigned by this witness"};
  return *newest;
}

}  // namespace mailhold::tlog
