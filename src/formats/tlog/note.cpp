#include "formats/tlog/note.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "base/text.h"
#include "base/utf8.h"
#include "platform/crypto/hash.h"

namespace mailhold::tlog {
namespace {

constexpr std::string_view em_dash = "\xE2\x80\x94 ";  // U+2014 and a space

Error not_a_note(const char* what) { return Error{ErrorKind::corrupt, std::string("signed note: ") + what}; }

bool is_space(char32_t point) {
  return point <= 0x20 || point == 0x85 || point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) ||
         point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

bool is_plain_utf8(std::string_view text) {
  return is_utf8(text) && std::none_of(text.begin(), text.end(),
                                       [](char byte) { return static_cast<unsigned char>(byte) < 0x20 && byte != '\n'; });
}

std::string key_id_bytes(std::uint32_t id) { return ByteWriter().u32(id).take(); }

std::optional<NoteSignature> parse_signature_line(std::string_view line) {
  if (!line.starts_with(em_dash)) return std::nullopt;
  line.remove_prefix(em_dash.size());
  const auto space = line.find(' ');
  if (space == line.npos || !is_key_name(line.substr(0, space))) return std::nullopt;
  const auto bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() < 5) return std::nullopt;
  ByteReader reader(*bytes);
  NoteSignature signature;
  signature.name = line.substr(0, space);
  signature.key_id = reader.u32();
  signature.signature = reader.rest();
  return signature;
}

}  // namespace

std::uint32_t key_id_of(const std::string& name, SignatureType type, const std::string& public_key) {
  const std::string digest = crypto::sha256(name + '\n' + static_cast<char>(type) + public_key);
  return ByteReader(std::string_view(digest).substr(0, 4)).u32();
}

std::string key_text_of(const std::string& name, SignatureType type, const std::string& public_key) {
  return name + "+" + to_hex(key_id_bytes(key_id_of(name, type, public_key))) + "+" +
         to_base64(static_cast<char>(type) + public_key);
}

Result<NamedKey> parse_key_text(std::string_view text, SignatureType type) {
  const Error wrong{ErrorKind::invalid_input, "not the key of a note"};
  const auto first = text.find('+');
  if (first == text.npos) return wrong;
  const auto second = text.find('+', first + 1);  // the base64 may hold further ones
  if (second == text.npos) return wrong;
  const auto key = from_base64(text.substr(second + 1));
  if (!key || key->size() != 1 + crypto::ed25519_public_key_size || key->front() != static_cast<char>(type)) return wrong;
  NamedKey parsed{std::string(text.substr(0, first)), key->substr(1)};
  const std::string id = to_hex(key_id_bytes(key_id_of(parsed.name, type, parsed.public_key)));
  if (!is_key_name(parsed.name) || id != text.substr(first + 1, second - first - 1)) return wrong;
  return parsed;
}

std::uint32_t NoteKey::id() const { return key_id_of(name, SignatureType::ed25519, public_key); }

std::string NoteKey::text() const { return key_text_of(name, SignatureType::ed25519, public_key); }

Result<NoteKey> NoteKey::parse(std::string_view text) {
  ASSIGN_OR_RETURN(NamedKey key, parse_key_text(text, SignatureType::ed25519));
  return NoteKey{std::move(key.name), std::move(key.public_key)};
}

bool is_key_name(std::string_view name) {
  if (name.empty() || !is_utf8(name)) return false;
  for (std::size_t position = 0; position < name.size();) {
    const char32_t point = next_code_point(name, position);
    if (is_space(point) || point == '+') return false;
  }
  return true;
}

bool is_note_text(std::string_view text) {
  return text.ends_with('\n') && text.size() <= note_bytes_max / 2 && is_plain_utf8(text);
}

std::string encode(const NoteSignature& signature) {
  return std::string(em_dash) + signature.name + " " + to_base64(key_id_bytes(signature.key_id) + signature.signature) + "\n";
}

std::string SignedNote::encode() const {
  std::string bytes = text + "\n";
  for (const NoteSignature& signature : signatures) bytes += tlog::encode(signature);
  return bytes;
}

Result<SignedNote> SignedNote::parse(std::string_view bytes) {
  if (bytes.size() > note_bytes_max) return not_a_note("too long");
  if (!is_plain_utf8(bytes)) return not_a_note("not plain UTF-8 text");
  // The text may hold empty lines itself: the last one of the note divides.
  const auto divide = bytes.rfind("\n\n");
  if (divide == bytes.npos || !bytes.ends_with('\n')) return not_a_note("no signatures");
  SignedNote note;
  note.text = bytes.substr(0, divide + 1);
  if (!is_note_text(note.text)) return not_a_note("text too long");
  ASSIGN_OR_RETURN(note.signatures, parse_signatures(bytes.substr(divide + 2)));
  return note;
}

Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines) {
  if (!lines.ends_with('\n')) return not_a_note("no signatures");
  lines.remove_suffix(1);
  std::vector<NoteSignature> signatures;
  for (const std::string_view line : split(lines, '\n')) {
    auto signature = parse_signature_line(line);
    if (!signature) return not_a_note("a signature line is malformed");
    if (signatures.size() == note_signatures_max) return not_a_note("too many signatures");
    signatures.push_back(std::move(*signature));
  }
  return signatures;
}

Status sign_note(SignedNote& note, const std::string& name, const crypto::Ed25519Signer& signer) {
  if (!is_key_name(name)) return Error{ErrorKind::invalid_input, "name cannot stand in a signed note"};
  if (!is_note_text(note.text)) return Error{ErrorKind::invalid_input, "text cannot stand in a signed note"};
  note.signatures.push_back({name, NoteKey{name, signer.public_key()}.id(), signer.sign(note.text)});
  return done();
}

Status verify_note(const SignedNote& note, const NoteKey& key) {
  const std::uint32_t id = key.id();
  bool signed_by_key = false;
  for (const NoteSignature& signature : note.signatures) {
    if (signature.name != key.name || signature.key_id != id) continue;
    if (!crypto::ed25519_verify(key.public_key, note.text, signature.signature)) return not_a_note("signature does not verify");
    signed_by_key = true;
  }
  if (!signed_by_key) return Error{ErrorKind::denied, "signed note: not signed by the expected key"};
  return done();
}

}  // namespace mailhold::tlog
