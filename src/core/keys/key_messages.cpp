#include "core/keys/key_messages.h"

#include "base/bytes.h"
#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

Error malformed() { return Error{ErrorKind::invalid_input, "a malformed message about keys"}; }

}  // namespace

std::string_view name_of(Method method) {
  switch (method) {
    case Method::status: return "status";
    case Method::initialise: return "initialise";
    case Method::unseal: return "unseal";
    case Method::create_tenant: return "create_tenant";
    case Method::destroy_tenant: return "destroy_tenant";
    case Method::spool_public_key: return "spool_public_key";
    case Method::spool_private_keys: return "spool_private_keys";
    case Method::link_key: return "link_key";
    case Method::day_key: return "day_key";
    case Method::purpose_key: return "purpose_key";
    case Method::ledger_public_key: return "ledger_public_key";
    case Method::open_ledger_box: return "open_ledger_box";
    case Method::ledger_signing_seed: return "ledger_signing_seed";
    case Method::ledger_verifying_key: return "ledger_verifying_key";
    case Method::secret_public_key: return "secret_public_key";
    case Method::put_secret: return "put_secret";
    case Method::destroy_secret: return "destroy_secret";
    case Method::use: return "use";
    case Method::destroy_day: return "destroy_day";
    case Method::token_key: return "token_key";
    case Method::rotate_link_key: return "rotate_link_key";
    case Method::add_seal: return "add_seal";
    case Method::remove_seal: return "remove_seal";
    case Method::drill: return "drill";
    case Method::rotate: return "rotate";
    case Method::end_day_rotation: return "end_day_rotation";
    case Method::events: return "events";
    case Method::forget_event: return "forget_event";
    case Method::confirm: return "confirm";
    case Method::seal: return "seal";
  }
  return "unknown";
}

std::string encode(const KeyStatus& status) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(status.seal)).text(status.region).u32(status.tenants).text(status.secret_public_key);
  writer.text(status.ledger_verifying_key)
      .u8(status.confirmed ? 1 : 0)
      .u8(status.memory_is_secret ? 1 : 0)
      .u32(status.region_version)
      .u32(status.root_version);
  writer.u32(static_cast<std::uint32_t>(status.seals.size()));
  for (const SealInfo& seal : status.seals) writer.text(encode(seal));
  writer.u32(static_cast<std::uint32_t>(status.rotations.size()));
  for (const RotationProgress& each : status.rotations)
    writer.raw(each.tenant.bytes()).u32(each.day).u64(each.done).u64(each.total).u64(static_cast<std::uint64_t>(each.started_at));
  writer.u8(status.host_is_asked ? 1 : 0).u32(static_cast<std::uint32_t>(status.host_findings.size()));
  for (const HostFinding& each : status.host_findings) writer.text(each.kind).text(each.subject).text(each.detail);
  return writer.take();
}

Result<KeyStatus> parse_status(std::string_view bytes) {
  ByteReader reader(bytes);
  KeyStatus status;
  const std::uint8_t seal = reader.u8();
  status.region = std::string(reader.text());
  status.tenants = reader.u32();
  status.secret_public_key = std::string(reader.text());
  status.ledger_verifying_key = std::string(reader.text());
  const std::uint8_t confirmed = reader.u8();
  const std::uint8_t secret = reader.u8();
  status.region_version = reader.u32();
  status.root_version = reader.u32();
  for (std::uint32_t left = reader.count(4); left > 0; --left) {
    ASSIGN_OR_RETURN(SealInfo info, parse_seal_info(reader.text()));
    status.seals.push_back(std::move(info));
  }
  for (std::uint32_t left = reader.count(Id::size); left > 0; --left) {
    RotationProgress each;
    each.tenant = Id::from_bytes(reader.raw(Id::size));
    each.day = reader.u32();
    each.done = reader.u64();
    each.total = reader.u64();
    each.started_at = static_cast<Milliseconds>(reader.u64());
    status.rotations.push_back(each);
  }
  const std::uint8_t asked = reader.u8();
  for (std::uint32_t left = reader.count(12); left > 0; --left) {
    HostFinding each;
    each.kind = std::string(reader.text());
    each.subject = std::string(reader.text());
    each.detail = std::string(reader.text());
    status.host_findings.push_back(std::move(each));
  }
  if (!reader.finish() || seal > static_cast<std::uint8_t>(Seal::unsealed) || secret > 1 || asked > 1 || confirmed > 1)
    return malformed();
  status.host_is_asked = asked == 1;
  status.seal = static_cast<Seal>(seal);
  status.confirmed = confirmed == 1;
  status.memory_is_secret = secret == 1;
  return status;
}

std::string encode(const SecretRecord& record) {
  ByteWriter writer;
  writer.raw(record.tenant.bytes()).raw(record.connection.bytes()).text(record.policy).text(record.box);
  return writer.take();
}

Result<SecretRecord> parse_secret_record(std::string_view bytes) {
  ByteReader reader(bytes);
  SecretRecord record;
  record.tenant = Id::from_bytes(reader.raw(Id::size));
  record.connection = Id::from_bytes(reader.raw(Id::size));
  record.policy = std::string(reader.text());
  record.box = std::string(reader.text());
  if (!reader.finish()) return malformed();
  return record;
}

std::string encode(const UseRequest& request) {
  ByteWriter writer;
  writer.raw(request.tenant.bytes()).raw(request.connection.bytes()).text(request.policy).text(request.purpose);
  writer.text(request.template_name).text(request.receipt).text(request.fields);
  return writer.take();
}

Result<UseRequest> parse_use_request(std::string_view bytes) {
  ByteReader reader(bytes);
  UseRequest request;
  request.tenant = Id::from_bytes(reader.raw(Id::size));
  request.connection = Id::from_bytes(reader.raw(Id::size));
  request.policy = std::string(reader.text());
  request.purpose = std::string(reader.text());
  request.template_name = std::string(reader.text());
  request.receipt = std::string(reader.text());
  request.fields = std::string(reader.text());
  if (!reader.finish()) return malformed();
  return request;
}

SecretText encode(const SymmetricKey& key) {
  const ByteWriter version = ByteWriter().u32(key.version);
  return SecretText::joined({version.view(), key.key.reveal()});
}

Result<SymmetricKey> parse_symmetric_key(std::string_view bytes) {
  ByteReader reader(bytes);
  SymmetricKey key;
  key.version = reader.u32();
  key.key = SecretText::copy_of(reader.raw(sealed::key_size));
  if (!reader.finish()) return malformed();
  return key;
}

std::string encode_public(std::uint32_t version, std::string_view public_key) {
  ByteWriter writer;
  writer.u32(version).raw(public_key);
  return writer.take();
}

Result<BoxPublicKey> parse_public_key(std::string_view bytes) {
  ByteReader reader(bytes);
  BoxPublicKey key;
  key.version = reader.u32();
  key.public_key = std::string(reader.raw(sealed::key_size));
  if (!reader.finish()) return malformed();
  return key;
}

}  // namespace mailhold::keys
