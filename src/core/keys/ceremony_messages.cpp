// The encodings about seals, rotations and events: see key_messages.h.
#include "base/bytes.h"
#include "core/keys/key_messages.h"

namespace mailhold::keys {
namespace {

constexpr std::size_t secrets_max = 256;

Error malformed() { return Error{ErrorKind::invalid_input, "a malformed message about keys"}; }

bool is_kind(std::uint8_t number) {
  return number >= static_cast<std::uint8_t>(SealKind::passphrase) && number <= static_cast<std::uint8_t>(SealKind::pkcs11);
}

}  // namespace

std::string encode(const RotateRequest& request) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(request.scope))
      .raw(request.tenant.bytes())
      .u32(request.day)
      .raw(request.connection.bytes());
  return writer.take();
}

Result<RotateRequest> parse_rotate_request(std::string_view bytes) {
  ByteReader reader(bytes);
  RotateRequest request;
  const std::uint8_t scope = reader.u8();
  request.tenant = Id::from_bytes(reader.raw(Id::size));
  request.day = reader.u32();
  request.connection = Id::from_bytes(reader.raw(Id::size));
  if (!reader.finish() || scope < 1 || scope > static_cast<std::uint8_t>(RotationScope::root)) return malformed();
  request.scope = static_cast<RotationScope>(scope);
  return request;
}

std::string encode_seals(const std::vector<SealRequest>& seals) {
  ByteWriter writer;
  for (const SealRequest& seal : seals)
    writer.u8(static_cast<std::uint8_t>(seal.kind)).u8(seal.threshold).u8(seal.shares).text(seal.token);
  return writer.take();
}

Result<std::vector<SealRequest>> parse_seals(std::string_view bytes, std::string_view secret_bytes) {
  ASSIGN_OR_RETURN(std::vector<SecretText> secrets, parse_secrets(secret_bytes));
  ByteReader reader(bytes);
  std::vector<SealRequest> seals;
  std::size_t next_secret = 0;
  while (reader.ok() && !reader.rest().empty() && seals.size() < seals_max) {
    SealRequest seal;
    const std::uint8_t kind = reader.u8();
    seal.threshold = reader.u8();
    seal.shares = reader.u8();
    seal.token = std::string(reader.text());
    if (!reader.ok() || !is_kind(kind)) return malformed();
    seal.kind = static_cast<SealKind>(kind);
    if (seal.kind != SealKind::shamir) {
      if (next_secret == secrets.size()) return malformed();
      seal.secret = std::move(secrets[next_secret++]);
    }
    seals.push_back(std::move(seal));
  }
  if (!reader.finish() || next_secret != secrets.size()) return malformed();
  return seals;
}

std::string encode_kind(SealKind kind) { return ByteWriter().u8(static_cast<std::uint8_t>(kind)).take(); }

Result<SealKind> parse_kind(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint8_t kind = reader.u8();
  if (!reader.finish() || !is_kind(kind)) return malformed();
  return static_cast<SealKind>(kind);
}

SecretText encode_secrets(const std::vector<SecretText>& secrets) {
  std::size_t size = 0;
  for (const SecretText& secret : secrets) size += 4 + secret.size();
  SecretText all = SecretText::zeroed(size);
  std::size_t at = 0;
  for (const SecretText& secret : secrets) {
    at += ByteWriter().u32(static_cast<std::uint32_t>(secret.size())).take().copy(all.data() + at, 4);
    at += secret.reveal().copy(all.data() + at, secret.size());
  }
  return all;
}

Result<std::vector<SecretText>> parse_secrets(std::string_view bytes) {
  ByteReader reader(bytes);
  std::vector<SecretText> secrets;
  while (reader.ok() && !reader.rest().empty() && secrets.size() < secrets_max)
    secrets.push_back(SecretText::copy_of(reader.text()));
  if (!reader.finish()) return malformed();
  return secrets;
}

SecretText encode_ceremony(std::string_view what, std::string_view secrets) {
  std::vector<SecretText> pieces;
  pieces.push_back(SecretText::copy_of(what));
  pieces.push_back(SecretText::copy_of(secrets));
  return encode_secrets(pieces);
}

std::string encode(const KeyService::UnsealProgress& progress) {
  return ByteWriter().u8(progress.unsealed ? 1 : 0).u8(progress.shares_given).u8(progress.shares_needed).take();
}

Result<KeyService::UnsealProgress> parse_progress(std::string_view bytes) {
  ByteReader reader(bytes);
  KeyService::UnsealProgress progress;
  progress.unsealed = reader.u8() == 1;
  progress.shares_given = reader.u8();
  progress.shares_needed = reader.u8();
  if (!reader.finish()) return malformed();
  return progress;
}

std::string encode(const SealInfo& seal) {
  ByteWriter writer;
  writer.raw(seal.id.bytes()).u8(static_cast<std::uint8_t>(seal.kind)).u8(seal.threshold).u8(seal.shares).text(seal.token);
  writer.u64(static_cast<std::uint64_t>(seal.created_at)).u64(static_cast<std::uint64_t>(seal.drilled_at));
  writer.u32(seal.root_version).u8(seal.has_key_pair ? 1 : 0);
  return writer.take();
}

Result<SealInfo> parse_seal_info(std::string_view bytes) {
  ByteReader reader(bytes);
  SealInfo seal;
  seal.id = Id::from_bytes(reader.raw(Id::size));
  const std::uint8_t kind = reader.u8();
  seal.threshold = reader.u8();
  seal.shares = reader.u8();
  seal.token = std::string(reader.text());
  seal.created_at = static_cast<Milliseconds>(reader.u64());
  seal.drilled_at = static_cast<Milliseconds>(reader.u64());
  seal.root_version = reader.u32();
  const std::uint8_t has_key_pair = reader.u8();
  if (!reader.finish() || !is_kind(kind) || has_key_pair > 1) return malformed();
  seal.has_key_pair = has_key_pair == 1;
  seal.kind = static_cast<SealKind>(kind);
  return seal;
}

std::string encode(const std::vector<KeyEvent>& events) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(events.size()));
  for (const KeyEvent& event : events) {
    writer.raw(event.id.bytes()).u64(static_cast<std::uint64_t>(event.time)).raw(event.tenant.bytes()).text(event.name);
    writer.u32(static_cast<std::uint32_t>(event.fields.size()));
    for (const auto& [name, value] : event.fields) writer.text(name).text(value);
  }
  return writer.take();
}

Result<std::vector<KeyEvent>> parse_events(std::string_view bytes) {
  ByteReader reader(bytes);
  std::vector<KeyEvent> events;
  for (std::uint32_t left = reader.count(Id::size * 2); left > 0 && reader.ok(); --left) {
    KeyEvent event;
    event.id = Id::from_bytes(reader.raw(Id::size));
    event.time = static_cast<Milliseconds>(reader.u64());
    event.tenant = Id::from_bytes(reader.raw(Id::size));
    event.name = std::string(reader.text());
    for (std::uint32_t fields = reader.count(8); fields > 0 && reader.ok(); --fields) {
      std::string name(reader.text());
      event.fields[std::move(name)] = std::string(reader.text());
    }
    events.push_back(std::move(event));
  }
  if (!reader.finish()) return malformed();
  return events;
}

}  // namespace mailhold::keys
