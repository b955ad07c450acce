// Restores and proofs that a server turned away for now: how long they wait, what is said meanwhile, and when it is enough.
#include "base/log.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/backups.h"
#include "features/recover/failure_reasons.h"

namespace mailhold::recover {
namespace {

Milliseconds in_milliseconds(std::chrono::seconds time) { return std::chrono::milliseconds(time).count(); }

std::string shown(std::chrono::seconds time) {
  constexpr std::chrono::hours hour{1};
  return time % hour == std::chrono::seconds(0) ? std::to_string(time / hour) + " hours" : std::to_string(time.count()) + " s";
}

}  // namespace

// Where the server names no time the last try is made when patience ends; what it names is kept to.
std::optional<Milliseconds> Backups::next_try(Id job, const BrokenOff& end, Milliseconds patience_ends) {
  const Milliseconds now = parts_.clock.now();
  if (now >= patience_ends) return std::nullopt;
  const Milliseconds wanted = now + in_milliseconds(end.rest);
  const Milliseconds chosen = std::min(now + in_milliseconds(pauses_.next(job, end.got_on, end.rest)), patience_ends);
  if (wanted > patience_ends) return std::nullopt;
  return std::max(wanted, chosen);
}

bool Backups::put_off(const WaitingRestore& restore, RestoreReport& report, const BrokenOff& end) {
  Waiting& waiting = report.waiting;
  if (end.got_on || waiting.since == 0) waiting.since = parts_.clock.now();
  std::optional<Milliseconds> next;
  {
    const std::lock_guard lock(mutex_);
    next = next_try(restore.job, end, waiting.since + in_milliseconds(settings_.patience));
  }
  if (!next) {
    report.failure = end.why + "; nothing came of it for " + shown(settings_.patience) + " (backup.patience_seconds) from " +
                     to_iso8601(waiting.since) + " on. When the server works again, " + how_to_sign_again(report.request);
    return false;
  }
  const auto mailbox = parts_.book.mailbox(written_by(report.request), Deadline::after(row_time));
  waiting = {*next, waiting.since, mailbox ? "the server of " + mailbox->name : "Mailhold's keys", end.why};
  report.failure.clear();
  // Durable before it may begin again.
  if (const Status written = keep_report(restore.job, report); !written)
    log_warning("backup", "that restore " + restore.job.text() + " waits cannot be written: " + written.error().detail);
  log_info("backup", "restore " + restore.job.text() + " waits for its server until " + to_iso8601(waiting.until));
  const std::lock_guard lock(mutex_);
  written_.erase(written_by(report.request));
  restoring_[restore.job] = report;
  // What it does the next time has been said to the ledger.
  waiting_.push_back({restore.job, restore.work == RestoreWork::verify ? restore.work : RestoreWork::begin});
  return true;
}

std::uint64_t Backups::restores_waiting() {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(
      std::count_if(restoring_.begin(), restoring_.end(), [](const auto& each) { return each.second.waiting.until != 0; }));
}

bool Backups::put_off(const WaitingProof& proof, Result<ProofRecord>& record, const BrokenOff& end) {
  std::optional<Milliseconds> next;
  {
    const std::lock_guard lock(mutex_);
    next = next_try(proof.job, end, proof.begun_at + in_milliseconds(proof_patience));
  }
  if (!next) return false;
  if (record) {
    const std::string what = proof.items > 0 ? "put off: " : "its scratch folder is taken away later: ";
    const bool was_asked_to = end.rest.count() > 0;
    record->trouble =
        what + (was_asked_to ? "the server asked to wait until " : "tried again at ") + to_iso8601(*next) + ": " + end.why;
    record->put_off = {*next, proof.begun_at, static_cast<std::uint32_t>(proof.items)};
    const Status written = parts_.book.put_proof(*record, Deadline::after(row_time));
    if (!written) log_warning("backup", "that a proof is put off cannot be written: " + written.error().detail);
    if (proof.items > 0) count_proof(*record, ProofEnd::put_off);
  }
  log_info("backup", "proof of mailbox " + proof.mailbox.text() + ": put off until " + to_iso8601(*next));
  const std::lock_guard lock(mutex_);
  proofs_waiting_.push_back(proof);
  proofs_waiting_.back().not_before = *next;
  proofs_waiting_.back().left_scratch = !record || !record->scratch.is_none();
  if (record) proof_begun_[proof.mailbox] = record->started_at;
  return true;
}

bool Backups::is_being_proved(Id mailbox) {
  if (!proving_.contains(mailbox)) return false;
  return std::none_of(proofs_waiting_.begin(), proofs_waiting_.end(), [&](const WaitingProof& each) {
    return each.mailbox == mailbox && is_to_come(each.not_before, parts_.clock.now()) && !each.left_scratch;
  });
}

}  // namespace mailhold::recover
