#include "core/evidence/bundle.h"

#include <map>

#include "formats/tlog/checkpoint.h"

namespace mailhold::ledger {
namespace {

constexpr std::string_view bundle_magic = "MLE1";
constexpr std::string_view remembered_magic = "MLS1";

Error damaged(const std::string& what) { return Error{ErrorKind::corrupt, "bundle: " + what}; }

class BundleVerifier {
 public:
  BundleVerifier(std::string_view bytes, const BundleExpected& expected, const EachEvent& each)
      : reader_(bytes), expected_(expected), each_(each) {}

  BundleVerdict run() {
    const Status outcome = check();
    verdict_.sound = static_cast<bool>(outcome);
    if (!outcome) verdict_.fault = outcome.error().detail;
    return std::move(verdict_);
  }

 private:
  Status check() {
    RETURN_IF_ERROR(read_head());
    RETURN_IF_ERROR(check_head());
    RETURN_IF_ERROR(check_growth());
    RETURN_IF_ERROR(continue_chains());
    for (std::uint64_t seq = head_.first; seq <= head_.head.head.seq; ++seq) RETURN_IF_ERROR(check_entry(seq));
    RETURN_IF_ERROR(reader_.finish());
    if (tenant_.seq != head_.head.head.seq || tenant_.leaf != head_.head.head.leaf)
      return wrong(tenant_.seq, "is not the newest one that the heads entry names");
    remember();
    return done();
  }

  Status read_head() {
    if (reader_.raw(bundle_magic.size()) != bundle_magic) return damaged("is none");
    head_.first = reader_.u64();
    head_.old_size = reader_.u64();
    head_.growth = read_path(reader_);
    ASSIGN_OR_RETURN(head_.head, HeadProof::parse(reader_.text()));
    if (!reader_.ok()) return damaged("cut short in its head");
    if (head_.first == 0 || head_.head.head.seq == UINT64_MAX || head_.first > head_.head.head.seq + 1)
      return damaged("numbers in its head are impossible");
    return done();
  }

  Status check_head() {
    RETURN_IF_ERROR(verify_head_proof(head_.head, expected_.log_key));
    ASSIGN_OR_RETURN(checkpoint_, tlog::open_checkpoint(head_.head.checkpoint, expected_.log_key));
    // An older heads entry would hide what came after it: it must be the last one below the checkpoint.
    if (head_.head.heads_index + 1 != checkpoint_.size) return damaged("its heads entry is not the last one of the checkpoint");
    ASSIGN_OR_RETURN(const LogEntry heads, parse_log_entry(head_.head.heads_entry));
    verdict_.heads_at = std::get<Heads>(heads).at;
    verdict_.size = checkpoint_.size;
    verdict_.first = head_.first;
    verdict_.last = head_.head.head.seq;
    if (head_.head.tenant != expected_.tenant) return damaged("of another tenant");
    ASSIGN_OR_RETURN(const tlog::SignedNote note, tlog::SignedNote::parse(head_.head.checkpoint));
    verdict_.cosigners = cosigners_of(note, expected_.policy);
    return check_cosignatures(head_.head.checkpoint, expected_.policy);
  }

  Status check_growth() {
    if (!expected_.remembered) return done();
    ASSIGN_OR_RETURN(const auto old, tlog::open_checkpoint(expected_.remembered->checkpoint, expected_.log_key));
    if (checkpoint_.size < old.size) {
      return Error{ErrorKind::corrupt, "rolled back: the checkpoint has size " + std::to_string(checkpoint_.size) +
                                           ", one of size " + std::to_string(old.size) + " was seen before"};
    }
    if (head_.old_size != old.size) {
      return Error{ErrorKind::invalid_input, "does not show that it grew from the checkpoint of size " +
                                                 std::to_string(old.size) + " seen before; ask for a bundle since that size"};
    }
    if (head_.head.head.seq < expected_.remembered->head.seq && expected_.remembered->tenant == expected_.tenant)
      return Error{ErrorKind::corrupt, "rolled back: it has fewer entries of the tenant than were seen before"};
    if (old.size == 0) return done();
    const Status grown = tlog::verify_consistency(old.size, checkpoint_.size, head_.growth, old.root, checkpoint_.root);
    if (grown) return done();
    return Error{ErrorKind::corrupt, "split view or rewritten: the checkpoint does not continue the one of size " +
                                         std::to_string(old.size) + " seen before"};
  }

  // Where the chains stand before the first entry of this bundle.
  Status continue_chains() {
    if (head_.first == 1) return done();
    const auto& known = expected_.remembered;
    if (!known || known->head.seq + 1 < head_.first) {
      return Error{ErrorKind::invalid_input, "begins at entry " + std::to_string(head_.first) +
                                                 "; what came before has not been seen, so nothing says that it is complete"};
    }
    if (known->tenant != expected_.tenant || known->head.seq + 1 != head_.first)
      return Error{ErrorKind::invalid_input, "ask for a bundle from entry " + std::to_string(known->head.seq + 1) + " or from 1"};
    tenant_ = known->head;
    for (const auto& connection : known->connections) connections_[connection.id] = connection.head;
    return done();
  }

  Status check_entry(std::uint64_t seq) {
    const std::uint64_t index = reader_.u64();
    const std::string_view bytes = reader_.text();
    const tlog::Proof path = read_path(reader_);
    if (!reader_.ok()) return wrong(seq, "missing: the bundle is cut short");
    const auto event = parse_event(bytes);
    if (!event) return wrong(seq, event.error().detail);
    const Hash leaf = tlog::hash_leaf(bytes);
    if (event->tenant != expected_.tenant) return wrong(seq, "of another tenant");
    if (event->seq != seq) return wrong(seq, "missing: entry " + std::to_string(event->seq) + " stands in its place");
    if (event->previous != tenant_.leaf)
      return wrong(seq == head_.first ? seq : seq - 1, "differs from what the next entry was chained to");
    if (any_ && index <= last_index_) return wrong(seq, "lies before its predecessor in the log");
    if (event->at < last_at_) return wrong(seq, "older than the one before");
    RETURN_IF_ERROR(check_connection(seq, *event, leaf));
    if (!tlog::verify_inclusion(leaf, index, checkpoint_.size, path, checkpoint_.root))
      return wrong(seq, "is not in the log at index " + std::to_string(index));
    // The entries a tenant kept must be the ones in the bundle, also when it begins at 1 again.
    if (const auto& known = expected_.remembered; known && known->head.seq == seq && known->head.leaf != leaf)
      return wrong(seq, "differs from the one seen before");
    tenant_ = {seq, leaf};
    last_index_ = index;
    last_at_ = event->at;
    any_ = true;
    if (each_) each_(index, *event, bytes);
    return done();
  }

  Status check_connection(std::uint64_t seq, const Event& event, const Hash& leaf) {
    if (event.connection.is_none()) return done();
    Head& head = connections_[event.connection];
    if (event.connection_seq != head.seq + 1) return wrong(seq, "number in its connection's chain is wrong");
    if (event.connection_previous != head.leaf) return wrong(seq, "is not chained to the entry of its connection before");
    head = {event.connection_seq, leaf};
    return done();
  }

  void remember() {
    verdict_.state = {expected_.tenant, tenant_, head_.head.checkpoint, {}};
    for (const auto& [id, head] : connections_) verdict_.state.connections.push_back({id, head});
    verdict_.connections = connections_.size();
  }

  Error wrong(std::uint64_t seq, const std::string& what) {
    verdict_.first_wrong = seq;
    return damaged("entry " + std::to_string(seq) + ": " + what);
  }

  ByteReader reader_;
  const BundleExpected& expected_;
  const EachEvent& each_;
  BundleVerdict verdict_;
  BundleHead head_;
  tlog::Checkpoint checkpoint_;
  Head tenant_;
  std::map<Id, Head> connections_;
  std::uint64_t last_index_ = 0;
  Milliseconds last_at_ = 0;
  bool any_ = false;
};

}  // namespace

std::string encode(const BundleHead& head) {
  ByteWriter writer;
  writer.raw(bundle_magic).u64(head.first).u64(head.old_size);
  write_path(writer, head.growth);
  return writer.text(head.head.encode()).take();
}

std::string encode(const BundleEntry& entry) {
  ByteWriter writer;
  writer.u64(entry.index).text(entry.entry);
  write_path(writer, entry.path);
  return writer.take();
}

std::string Remembered::encode() const {
  ByteWriter writer;
  writer.raw(remembered_magic).raw(tenant.bytes()).u64(head.seq).raw(head.leaf.bytes()).text(checkpoint);
  writer.u32(static_cast<std::uint32_t>(connections.size()));
  for (const Connection& one : connections) writer.raw(one.id.bytes()).u64(one.head.seq).raw(one.head.leaf.bytes());
  return writer.take();
}

Result<Remembered> Remembered::parse(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.raw(remembered_magic.size()) != remembered_magic) return Error{ErrorKind::corrupt, "not what a verifier remembered"};
  Remembered known;
  known.tenant = Id::from_bytes(reader.raw(Id::size));
  known.head.seq = reader.u64();
  known.head.leaf = Hash::from_bytes(reader.raw(Hash::size));
  known.checkpoint = reader.text();
  const std::uint32_t count = reader.count(Id::size + 8 + Hash::size);
  for (std::uint32_t i = 0; i < count; ++i) {
    Connection one;
    one.id = Id::from_bytes(reader.raw(Id::size));
    one.head.seq = reader.u64();
    one.head.leaf = Hash::from_bytes(reader.raw(Hash::size));
    known.connections.push_back(one);
  }
  RETURN_IF_ERROR(reader.finish());
  return known;
}

BundleVerdict verify_bundle(std::string_view bytes, const BundleExpected& expected, const EachEvent& each) {
  return BundleVerifier(bytes, expected, each).run();
}

}  // namespace mailhold::ledger
