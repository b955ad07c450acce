// Cosignatures (C2SP tlog-cosignature): a witness states that it saw a checkpoint at a time, and nothing
// before that contradicts it. Ed25519 only (cosignature/v1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/tlog/note.h"

namespace mailhold::tlog {

struct CosignerKey {
  std::string name;        // no space, no plus
  std::string public_key;  // 32 bytes, Ed25519

  std::uint32_t id() const { return key_id_of(name, SignatureType::cosignature, public_key); }
  std::string text() const { return key_text_of(name, SignatureType::cosignature, public_key); }
  static Result<CosignerKey> parse(std::string_view text);  // invalid_input unless the id fits the key
};

// The signature line of a witness. `seconds` since 1970; `checkpoint_text` is the text of the note.
NoteSignature cosign(std::string_view checkpoint_text, const std::string& name, const crypto::Ed25519Signer& signer,
                     std::uint64_t seconds);

// When the key cosigned that note, in seconds since 1970; the newest if it did so more than once. denied if there is no line of
// this key; corrupt if one does not verify.
Result<std::uint64_t> verify_cosignature(const SignedNote& note, const CosignerKey& key);

}  // namespace mailhold::tlog
