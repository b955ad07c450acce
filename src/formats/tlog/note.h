// Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.
// Ed25519 signatures only; lines of other kinds are kept and ignored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/crypto/ed25519.h"

namespace mailhold::tlog {

inline constexpr std::size_t note_bytes_max = 1U << 20;
inline constexpr std::size_t note_signatures_max = 64;

// The type byte of a signature, which stands in key ids and keys (C2SP signed-note, "Signature types").
enum class SignatureType : char { ed25519 = 0x01, cosignature = 0x04 };
std::uint32_t key_id_of(const std::string& name, SignatureType type, const std::string& public_key);
std::string key_text_of(const std::string& name, SignatureType type, const std::string& public_key);
struct NamedKey {
  std::string name;
  std::string public_key;
};
// invalid_input unless it is a key of that type and its id fits.
Result<NamedKey> parse_key_text(std::string_view text, SignatureType type);

// Whose signatures count.
struct NoteKey {
  std::string name;        // no space, no plus
  std::string public_key;  // 32 bytes, Ed25519

  std::uint32_t id() const;                             // first four bytes of SHA-256(name, LF, 0x01, public key)
  std::string text() const;                             // "name+0123abcd+base64"
  static Result<NoteKey> parse(std::string_view text);  // invalid_input unless the id fits the key
};

struct NoteSignature {
  std::string name;
  std::uint32_t key_id = 0;
  std::string signature;
};

std::string encode(const NoteSignature& signature);  // its line
// One or more signature lines; corrupt for anything else.
Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines);

struct SignedNote {
  std::string text;  // with its last line end
  std::vector<NoteSignature> signatures;

  std::string encode() const;
  // corrupt unless it is a note: UTF-8, no control characters, at least one signature line, within the limits.
  static Result<SignedNote> parse(std::string_view bytes);
};

bool is_key_name(std::string_view name);
bool is_note_text(std::string_view text);

// Adds our signature. invalid_input if the name or text cannot stand in a note.
Status sign_note(SignedNote& note, const std::string& name, const crypto::Ed25519Signer& signer);
// done if the key signed the text. corrupt if a line under its name and id does not verify; denied if there is none.
Status verify_note(const SignedNote& note, const NoteKey& key);

}  // namespace mailhold::tlog
