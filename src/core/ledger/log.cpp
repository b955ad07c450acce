#include "core/ledger/log.h"

#include <algorithm>

#include "core/evidence/log_reader.h"
#include "core/ledger/log_state.h"
#include "formats/tlog/tiles.h"

namespace mailhold::ledger {
namespace {

// One answer from the committer to one thread that waits for it, which may have left by then.
template <class T>
class Answer {
 public:
  void put(T value) {
    const std::scoped_lock lock(mutex_);
    value_ = std::move(value);
    ready_.notify_all();
  }
  std::optional<T> wait(const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    ready_.wait_until(lock, deadline.stop, deadline.at, [&] { return value_.has_value(); });
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::optional<T> value_;
};

Error gave_up(const Deadline& deadline) {
  if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "ledger: stopped while waiting"};
  return Error{ErrorKind::timed_out, "ledger: not durable in time"};
}

constexpr std::size_t listed_entries_max = 1000;

}  // namespace

Log::Log(LogSettings settings, crypto::Ed25519Signer signer, const Clock& clock, LogStorage& storage)
    : state_(std::make_unique<State>(std::move(settings), std::move(signer), clock, storage)) {
  state_->committer = std::jthread([state = state_.get()](const std::stop_token& stop) { state->run(stop); });
}

Log::~Log() = default;

Status Log::reopen() {
  const std::scoped_lock lock(state_->committing);
  return state_->reopen();
}

void Log::submit(Append append, AppendDone done) {
  const auto enqueue = [&]() -> Status {
    if (append.tenant.is_none() || !parse_payload(append.payload)) {
      return Error{ErrorKind::invalid_input, "ledger: an entry without a tenant or with a malformed payload"};
    }
    const std::scoped_lock lock(state_->mutex);
    if (!state_->open || state_->stopping) return Error{ErrorKind::unavailable, "ledger: " + state_->failure_text};
    if (state_->waiting.size() >= state_->settings.waiting_entries_max) {
      return Error{ErrorKind::limit_exceeded, "ledger: too many entries wait"};
    }
    state_->waiting.push_back({std::move(append), std::move(done)});
    state_->wake.notify_one();
    return mailhold::done();
  };
  // Answered without the lock.
  if (const Status enqueued = enqueue(); !enqueued) done(enqueued.error());
}

Result<Receipt> Log::append(Append append, const Deadline& deadline) {
  const auto answer = std::make_shared<Answer<Result<Receipt>>>();
  submit(std::move(append), [answer](Result<Receipt> receipt) { answer->put(std::move(receipt)); });
  auto receipt = answer->wait(deadline);
  if (!receipt) return gave_up(deadline);
  return std::move(*receipt);
}

Status Log::write_heads(const Deadline& deadline) {
  const auto answer = std::make_shared<Answer<Status>>();
  {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->open || state_->stopping) return Error{ErrorKind::unavailable, "ledger: " + state_->failure_text};
    state_->heads_asked.push_back([answer](Status status) { answer->put(std::move(status)); });
    state_->wake.notify_one();
  }
  auto status = answer->wait(deadline);
  if (!status) return gave_up(deadline);
  return std::move(*status);
}

Result<std::vector<StoredEntry>> Log::entries_of(Id tenant, std::uint64_t first_seq, std::size_t count_max) const {
  std::vector<StoredEntry> entries;
  {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->open) return Error{ErrorKind::unavailable, "ledger: " + state_->failure_text};
    const auto* indexes = state_->chains.indexes_of(tenant);
    for (std::uint64_t seq = std::max<std::uint64_t>(first_seq, 1); indexes != nullptr && seq <= indexes->size(); ++seq) {
      const std::uint64_t index = (*indexes)[seq - 1];
      if (index >= state_->durable_size || entries.size() >= std::min(count_max, listed_entries_max)) break;
      StoredEntry entry{index, {}};
      if (index >= state_->open_entries_first) entry.bytes = state_->open_entries[index - state_->open_entries_first];
      entries.push_back(std::move(entry));
    }
  }
  // What is not in memory is in full bundles, which never change.
  std::string bundle;
  std::vector<std::string_view> parsed;
  std::optional<std::uint64_t> bundle_index;
  for (StoredEntry& entry : entries) {
    if (!entry.bytes.empty()) continue;
    if (bundle_index != entry.index / tlog::tile_width) {
      bundle_index = entry.index / tlog::tile_width;
      const auto path = tlog::path_of({std::nullopt, *bundle_index, tlog::tile_width});
      ASSIGN_OR_RETURN(bundle, read_from_disk(state_->settings.folder / path, tlog::tile_width * (tlog::entry_bytes_max + 2)));
      ASSIGN_OR_RETURN(parsed, tlog::parse_bundle(bundle, tlog::tile_width));
    }
    entry.bytes = parsed[entry.index % tlog::tile_width];
  }
  return entries;
}

Result<HeadProof> Log::head_proof(Id tenant) const {
  const std::scoped_lock lock(state_->mutex);
  if (!state_->open) return Error{ErrorKind::unavailable, "ledger: " + state_->failure_text};
  const auto& heads = state_->proven_heads;
  const auto found = std::lower_bound(heads.begin(), heads.end(), tenant,
                                      [](const TenantHead& head, const Id& id) { return head.tenant.bytes() < id.bytes(); });
  if (found == heads.end() || found->tenant != tenant)
    return Error{ErrorKind::not_found, "ledger: no entry of this tenant before the last heads"};
  HeadProof proof = state_->proven;
  proof.tenant = tenant;
  proof.head = found->head;
  proof.place = static_cast<std::uint64_t>(found - heads.begin());
  ASSIGN_OR_RETURN(proof.path, tlog::make_inclusion_proof(state_->proven_heads_tree, proof.place, heads.size()));
  return proof;
}

std::string Log::checkpoint() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->open ? state_->checkpoint_note : std::string();
}

tlog::NoteKey Log::key() const { return {state_->settings.origin, state_->signer.public_key()}; }

LogStatus Log::status() const {
  const std::scoped_lock lock(state_->mutex);
  LogStatus status;
  status.open = state_->open;
  status.failure = state_->open ? "" : state_->failure_text;
  status.size = state_->durable_size;
  status.published_size = state_->published_size;
  status.tenants = state_->chains.tenant_count();
  status.last_at = state_->last_at;
  status.batches = state_->batches;
  status.cut_bytes = state_->cut_bytes;
  status.snapshot_size = state_->snapshot_size;
  return status;
}

const LogSettings& Log::settings() const { return state_->settings; }

}  // namespace mailhold::ledger
