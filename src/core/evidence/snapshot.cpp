#include "core/evidence/snapshot.h"

#include "core/evidence/log_reader.h"
#include "platform/crypto/hash.h"

namespace mailhold::ledger {
namespace {

constexpr std::string_view magic = "MLT1";
constexpr std::size_t snapshot_bytes_max = std::size_t{8} << 30;

std::string signed_text(const std::string& origin, std::string_view body) {
  return "mailhold-ledger-state-v1\n" + origin + "\n" + crypto::sha256(body);
}

Error damaged(const char* what) { return Error{ErrorKind::corrupt, std::string("ledger: state snapshot ") + what}; }

}  // namespace

std::string encode_snapshot(std::uint64_t size, const Hash& root, Milliseconds last_at, const Chains& chains,
                            const crypto::Ed25519Signer& signer, const std::string& origin) {
  ByteWriter writer;
  writer.raw(magic).u64(size).raw(root.bytes()).u64(static_cast<std::uint64_t>(last_at));
  chains.write(writer);
  const std::string signature = signer.sign(signed_text(origin, writer.view()));
  return writer.raw(signature).take();
}

Result<Snapshot> parse_snapshot(std::string_view bytes, const tlog::NoteKey& log_key) {
  if (bytes.size() < magic.size() + crypto::ed25519_signature_size) return damaged("is too short");
  const std::string_view body = bytes.substr(0, bytes.size() - crypto::ed25519_signature_size);
  if (!crypto::ed25519_verify(log_key.public_key, signed_text(log_key.name, body), bytes.substr(body.size())))
    return damaged("is not signed by the log");
  ByteReader reader(body);
  if (reader.raw(magic.size()) != magic) return damaged("is of another version");
  Snapshot snapshot;
  snapshot.size = reader.u64();
  snapshot.root = Hash::from_bytes(reader.raw(Hash::size));
  snapshot.last_at = static_cast<Milliseconds>(reader.u64());
  ASSIGN_OR_RETURN(snapshot.chains, Chains::read(reader));
  RETURN_IF_ERROR(reader.finish());
  return snapshot;
}

Result<Snapshot> read_snapshot(const std::filesystem::path& log_folder, const tlog::NoteKey& log_key) {
  ASSIGN_OR_RETURN(const std::string bytes, read_from_disk(log_folder / snapshot_name, snapshot_bytes_max));
  return parse_snapshot(bytes, log_key);
}

}  // namespace mailhold::ledger
