// The committer: builds batches, makes them durable, answers, publishes.
#include <unistd.h>

#include "base/log.h"
#include "core/evidence/log_reader.h"
#include "core/ledger/log_state.h"
#include "formats/tlog/checkpoint.h"
#include "formats/tlog/tiles.h"

namespace mailhold::ledger {

Log::State::~State() {
  {
    const std::scoped_lock lock(mutex);
    stopping = true;
  }
  committer.request_stop();
  if (committer.joinable()) committer.join();
  if (folder_lock >= 0) ::close(folder_lock);
}

void Log::State::run(const std::stop_token& stop) {
  while (true) {
    std::vector<Waiting> batch;
    std::vector<HeadsDone> asked;
    bool last = false;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, stop, [&] { return !waiting.empty() || !heads_asked.empty(); });
      const std::size_t count = std::min(waiting.size(), batch_entries_max);
      batch.assign(std::make_move_iterator(waiting.begin()),
                   std::make_move_iterator(waiting.begin() + static_cast<std::ptrdiff_t>(count)));
      waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
      if (waiting.empty()) asked = std::exchange(heads_asked, {});
      last = stop.stop_requested() && waiting.empty();
    }
    const std::scoped_lock lock(committing);
    if (!batch.empty()) commit_events(std::move(batch));
    if (!asked.empty() || last) answer_heads(asked);
    if (last) return;
  }
}

// From here on nothing is accepted; whoever waits gets an error, never a receipt.
void Log::State::fail(const Error& error) {
  failure = error;
  journal.reset();
  std::deque<Waiting> refused;
  std::vector<HeadsDone> asked;
  {
    const std::scoped_lock lock(mutex);
    open = false;
    failure_text = error.detail;
    refused = std::exchange(waiting, {});
    asked = std::exchange(heads_asked, {});
  }
  log_error("ledger", "FAILED, refusing all entries until it is reopened: " + error.detail);
  const Error answer{ErrorKind::unavailable, error.detail};
  for (const Waiting& one : refused) one.done(answer);
  for (const HeadsDone& one : asked) one(answer);
}

Milliseconds Log::State::next_time() { return std::max(clock.now(), last_at); }

void Log::State::commit_events(std::vector<Waiting> batch) {
  const auto refuse_all = [&](const std::string& why) {
    for (const Waiting& one : batch) one.done(Error{ErrorKind::unavailable, why});
  };
  if (failure) return refuse_all(failure->detail);
  const std::uint64_t first = tree.size();
  std::vector<std::string> entries;
  entries.reserve(batch.size());
  {
    const std::scoped_lock lock(mutex);
    last_at = next_time();
    for (Waiting& one : batch) {
      Event event{one.append.tenant,     one.append.connection,        last_at, 0, {}, 0, {},
                  one.append.commitment, std::move(one.append.payload)};
      chains.link(event);
      entries.push_back(encode(event));
      const Hash leaf = tlog::hash_leaf(entries.back());
      chains.advance(event, tree.size(), leaf);
      tree.append(leaf);
      open_entries.push_back(entries.back());
    }
  }
  auto receipt = write_batch(entries);
  if (!receipt) {
    refuse_all(receipt.error().detail);
    return fail(receipt.error());
  }
  events_since_heads += batch.size();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Receipt one = *receipt;
    one.index = first + i;
    one.entry = std::move(entries[i]);
    auto proof = tlog::make_inclusion_proof(tree, one.index, one.size);
    if (proof) one.proof = std::move(*proof);
    batch[i].done(proof ? Result<Receipt>(std::move(one)) : Result<Receipt>(proof.error()));
  }
  if (tree.size() - published_size < settings.publish_after_entries) return;
  if (const Status status = publish(journal_bytes > settings.journal_bytes_max); !status) return fail(status.error());
  write_snapshot_if_due();
}

// The tree already has the entries. Nothing that was computed here leaves unless every step succeeds.
Result<Receipt> Log::State::write_batch(const std::vector<std::string>& entries) {
  Batch batch;
  batch.first = tree.size() - entries.size();
  batch.time = last_at;
  batch.entries.assign(entries.begin(), entries.end());
  batch.root = tree.root();
  batch.signature = signer.sign(tlog::Checkpoint{settings.origin, tree.size(), batch.root, {}}.text());
  const std::string bytes = encode(batch);
  RETURN_IF_ERROR(journal->append(bytes));
  RETURN_IF_ERROR(journal->sync());
  // A write to an unlinked file succeeds; only the name tells whether anybody will ever read it again.
  RETURN_IF_ERROR(journal->check_in_place());
  journal_bytes += bytes.size();
  acknowledged_size = tree.size();
  acknowledged_root = batch.root;
  {
    const std::scoped_lock lock(mutex);
    durable_size = tree.size();
    ++batches;
  }
  Receipt receipt;
  receipt.origin = settings.origin;
  receipt.size = tree.size();
  receipt.root = batch.root;
  receipt.time = clock.now();
  receipt.expires = receipt.time + receipt_life;
  receipt.signature = signer.sign(receipt.signed_bytes());
  return receipt;
}

Result<Receipt> Log::State::write_heads_entry(bool even_if_unchanged) {
  if (events_since_heads == 0 && !even_if_unchanged) return Error{ErrorKind::not_found, "no event since the last heads"};
  std::vector<TenantHead> heads = chains.heads();
  tlog::Tree hashes = heads_tree(heads);
  std::vector<std::string> entries;
  {
    const std::scoped_lock lock(mutex);
    last_at = next_time();
    entries.push_back(encode(Heads{last_at, heads.size(), hashes.root()}));
    tree.append(tlog::hash_leaf(entries[0]));
    open_entries.push_back(entries[0]);
  }
  ASSIGN_OR_RETURN(Receipt receipt, write_batch(entries));
  events_since_heads = 0;
  heads_index = tree.size() - 1;
  heads_entry = entries[0];
  const std::scoped_lock lock(mutex);
  proven_heads = std::move(heads);
  proven_heads_tree = std::move(hashes);
  return receipt;
}

void Log::State::answer_heads(const std::vector<HeadsDone>& asked) {
  Status status = done();
  if (failure) {
    status = Error{ErrorKind::unavailable, failure->detail};
  } else if (events_since_heads > 0) {
    auto receipt = write_heads_entry(false);
    status = receipt ? publish(journal_bytes > settings.journal_bytes_max) : Status(receipt.error());
    if (status) keep_head_proofs();
    if (status) write_snapshot_if_due();
    if (!status) fail(status.error());
  }
  for (const HeadsDone& one : asked) one(status);
}

// Right after publishing, while the tree still has the path of the newest heads entry.
void Log::State::keep_head_proofs() {
  auto path = tlog::make_inclusion_proof(tree, heads_index, published_size);
  const std::scoped_lock lock(mutex);
  if (!path) {
    proven_heads.clear();
    proven.checkpoint.clear();
    return;
  }
  proven.heads_index = heads_index;
  proven.heads_entry = heads_entry;
  proven.heads_path = std::move(*path);
  proven.checkpoint = checkpoint_note;
}

}  // namespace mailhold::ledger
