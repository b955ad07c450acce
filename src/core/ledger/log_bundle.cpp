// What a Log gives to those who check it from outside: heads, bundles, proofs of growth.
#include "core/evidence/bundle.h"
#include "core/evidence/tile_nodes.h"
#include "core/ledger/log_state.h"
#include "formats/tlog/checkpoint.h"

namespace mailhold::ledger {
namespace {

constexpr std::uint64_t piece_entries_max = 1000;
constexpr std::size_t piece_bytes_max = 2U << 20;

Error beyond(const char* what) { return Error{ErrorKind::invalid_input, std::string("ledger: ") + what}; }

// Entries of a tree, bundle by bundle, each with its proof.
class ProvenEntries {
 public:
  ProvenEntries(const std::filesystem::path& folder, std::uint64_t size) : size_(size), nodes_(folder, size) {}

  Result<BundleEntry> at(std::uint64_t index) {
    if (place_ != index / tlog::tile_width) {
      ASSIGN_OR_RETURN(entries_, nodes_.bundle_of(index, bytes_));
      place_ = index / tlog::tile_width;
    }
    BundleEntry entry{index, std::string(entries_[index % tlog::tile_width]), {}};
    ASSIGN_OR_RETURN(entry.path, tlog::make_inclusion_proof(nodes_, index, size_));
    return entry;
  }

 private:
  const std::uint64_t size_;
  const TileNodes nodes_;
  std::string bytes_;
  std::vector<std::string_view> entries_;  // into bytes_
  std::optional<std::uint64_t> place_;
};

}  // namespace

std::string Log::heads_checkpoint() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->open ? state_->proven.checkpoint : std::string();
}

bool Log::set_cosigned(const std::string& bytes) {
  const auto note = tlog::SignedNote::parse(bytes);
  const std::scoped_lock lock(state_->mutex);
  const auto ours = tlog::SignedNote::parse(state_->proven.checkpoint);
  if (!note || !ours || note->text != ours->text) return false;
  state_->proven.checkpoint = bytes;
  return true;
}

Result<tlog::Proof> Log::growth(std::uint64_t old_size, std::uint64_t size) const {
  {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->open) return Error{ErrorKind::unavailable, "ledger: " + state_->failure_text};
    if (old_size > size || size > state_->published_size) return beyond("a proof of growth was asked for sizes it does not have");
  }
  if (old_size == 0 || old_size == size) return tlog::Proof{};
  return tlog::make_consistency_proof(TileNodes(state_->settings.folder, size), old_size, size);
}

void Log::stop(const Error& reason) {
  const std::scoped_lock lock(state_->committing);
  if (!state_->failure) state_->fail(reason);
}

Result<BundlePiece> Log::bundle(const BundleQuestion& question) const {
  BundlePiece piece{{}, question.size, question.last, 0};
  if (question.size == 0) {
    BundleHead head;
    head.first = question.from;
    head.old_size = question.old_size;
    ASSIGN_OR_RETURN(head.head, head_proof(question.tenant));
    ASSIGN_OR_RETURN(const tlog::Checkpoint checkpoint, tlog::open_checkpoint(head.head.checkpoint, key()));
    piece.size = checkpoint.size;
    piece.last = head.head.head.seq;
    if (question.from == 0 || question.from > piece.last + 1) return beyond("the tenant has fewer entries than that");
    if (question.old_size > piece.size)
      return beyond("the log is smaller than that; whoever saw that size was shown another log");
    ASSIGN_OR_RETURN(head.growth, growth(question.old_size, piece.size));
    piece.bytes = encode(head);
  }
  std::vector<std::uint64_t> indexes;
  {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->open) return Error{ErrorKind::unavailable, "ledger: " + state_->failure_text};
    const auto* known = state_->chains.indexes_of(question.tenant);
    if (known == nullptr || piece.last > known->size() || piece.size > state_->published_size || question.from == 0)
      return beyond("the bundle has no such piece");
    const std::uint64_t count = std::min(question.entries_max, piece_entries_max);
    for (std::uint64_t seq = question.from; seq <= piece.last && indexes.size() < count; ++seq)
      indexes.push_back((*known)[seq - 1]);
  }
  ProvenEntries entries(state_->settings.folder, piece.size);
  std::uint64_t seq = question.from;
  for (const std::uint64_t index : indexes) {
    ASSIGN_OR_RETURN(const BundleEntry entry, entries.at(index));
    piece.bytes += encode(entry);
    ++seq;
    if (piece.bytes.size() > piece_bytes_max) break;
  }
  piece.next = seq <= piece.last ? seq : 0;
  return piece;
}

}  // namespace mailhold::ledger
