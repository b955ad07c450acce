#include "core/evidence/head_proof.h"

#include "formats/tlog/checkpoint.h"

namespace mailhold::ledger {

void write_path(ByteWriter& writer, const tlog::Proof& path) {
  writer.u32(static_cast<std::uint32_t>(path.size()));
  for (const Hash& hash : path) writer.raw(hash.bytes());
}

tlog::Proof read_path(ByteReader& reader) {
  tlog::Proof path;
  const std::uint32_t count = reader.count(Hash::size);
  // What is beyond the limit stays unread, so that whoever reads on finds the whole malformed.
  for (std::uint32_t i = 0; i < count && i < tlog::proof_hashes_max; ++i)
    path.push_back(Hash::from_bytes(reader.raw(Hash::size)));
  return path;
}

std::string HeadProof::encode() const {
  ByteWriter writer;
  writer.raw(tenant.bytes()).u64(head.seq).raw(head.leaf.bytes()).u64(place);
  write_path(writer, path);
  writer.u64(heads_index).text(heads_entry);
  write_path(writer, heads_path);
  writer.text(checkpoint);
  return writer.take();
}

Result<HeadProof> HeadProof::parse(std::string_view bytes) {
  ByteReader reader(bytes);
  HeadProof proof;
  proof.tenant = Id::from_bytes(reader.raw(Id::size));
  proof.head.seq = reader.u64();
  proof.head.leaf = Hash::from_bytes(reader.raw(Hash::size));
  proof.place = reader.u64();
  proof.path = read_path(reader);
  proof.heads_index = reader.u64();
  proof.heads_entry = reader.text();
  proof.heads_path = read_path(reader);
  proof.checkpoint = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return proof;
}

Status verify_head_proof(const HeadProof& proof, const tlog::NoteKey& log_key) {
  ASSIGN_OR_RETURN(tlog::Checkpoint checkpoint, tlog::open_checkpoint(proof.checkpoint, log_key));
  RETURN_IF_ERROR(tlog::verify_inclusion(tlog::hash_leaf(proof.heads_entry), proof.heads_index, checkpoint.size, proof.heads_path,
                                         checkpoint.root));
  ASSIGN_OR_RETURN(LogEntry entry, parse_log_entry(proof.heads_entry));
  const auto* heads = std::get_if<Heads>(&entry);
  if (heads == nullptr) return Error{ErrorKind::corrupt, "head proof: not a heads entry"};
  return tlog::verify_inclusion(leaf_of_head(proof.tenant, proof.head), proof.place, heads->count, proof.path, heads->root);
}

}  // namespace mailhold::ledger
