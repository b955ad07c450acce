// Proofs among the other work: when one is due, what the last process left of one, and what comes of it.
#include "base/bytes.h"
#include "base/log.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/backups.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr auto proof_time = 1h;
constexpr Milliseconds milliseconds_in_hour = 3'600'000;
constexpr Milliseconds milliseconds_in_day = 24 * milliseconds_in_hour;
constexpr Milliseconds late_at_most = 3 * milliseconds_in_hour;  // whoever was off at that hour waits for the next night
constexpr std::size_t said_bytes_max = 200;

// Spread over the hour, always the same for one mailbox.
Milliseconds minute_of(Id mailbox) { return Milliseconds{ByteReader(mailbox.bytes()).u32()} * 1000 % milliseconds_in_hour; }

// The server's own words are sealed with the record.
std::string with_words(const Error& error) {
  return error.detail + (error.for_peer.empty() ? "" : " (\"" + error.for_peer.substr(0, said_bytes_max) + "\")");
}

std::string reason_of(const Error& error) {
  if (error.is_temporary()) return "no proof: " + with_words(error) + "; the next one comes with the next night";
  if (error.kind == ErrorKind::denied) return "no proof: " + error.detail + "; the connection needs the purpose backup.prove";
  return "no proof: " + error.detail;
}

}  // namespace

// What an earlier process did not bring to its end: its folders at the servers are taken away, and what was put off is tried
// again.
void Backups::take_up_proofs(const std::vector<Mailbox>& mailboxes) {
  const std::lock_guard lock(mutex_);
  if (took_up_proofs_) return;
  for (const Mailbox& mailbox : mailboxes) {
    const auto record = parts_.book.proof(mailbox, Deadline::after(row_time));
    if (!record && record.error().is_temporary()) return;
    if (!record) {
      log_error("backup", "the proof of mailbox " + mailbox.id.text() + " does not open");
      continue;
    }
    proof_begun_[mailbox.id] = record->started_at;
    const PutOff& later = record->put_off;
    if ((record->scratch.is_none() && later.until == 0) || proving_.contains(mailbox.id)) continue;
    proving_[mailbox.id] = record->job;
    proofs_waiting_.push_back({mailbox.id, record->job, later.items, later.until, later.begun, !record->scratch.is_none()});
  }
  took_up_proofs_ = true;
}

std::optional<Backups::WaitingProof> Backups::next_proof(const std::vector<Mailbox>& mailboxes) {
  for (std::size_t i = 0; i < proofs_waiting_.size(); ++i) {
    if (running_.contains(proofs_waiting_[i].mailbox)) continue;  // it is being read
    if (is_to_come(proofs_waiting_[i].not_before, parts_.clock.now())) continue;
    const WaitingProof proof = proofs_waiting_[i];
    proofs_waiting_.erase(proofs_waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    return proof;
  }
  if (settings_.proof_hour < 0 || settings_.proof_hour > 23 || !took_up_proofs_) return std::nullopt;
  const Milliseconds now = parts_.clock.now();
  for (const Mailbox& mailbox : mailboxes) {
    const Milliseconds due =
        now - now % milliseconds_in_day + settings_.proof_hour * milliseconds_in_hour + minute_of(mailbox.id);
    const bool is_due = now >= due && now < due + late_at_most && proof_begun_[mailbox.id] < due;
    // What was imported has no server.
    if (!is_due || mailbox.paused || mailbox.synced_at == 0 || mailbox.connection.is_none()) continue;
    if (running_.contains(mailbox.id) || proving_.contains(mailbox.id) || let_go_.contains(mailbox.id)) continue;
    const Id job = Id::random();
    proving_[mailbox.id] = job;
    return WaitingProof{.mailbox = mailbox.id, .job = job, .items = settings_.proof_items};
  }
  return std::nullopt;
}

Result<Id> Backups::prove(Id mailbox, std::size_t items, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Mailbox row, parts_.book.mailbox(mailbox, deadline));
  if (row.synced_at == 0) return Error{ErrorKind::not_found, "nothing was backed up yet", "nothing was backed up yet"};
  if (row.connection.is_none()) {
    const std::string what = "what was imported has no server to prove it at";
    return Error{ErrorKind::unsupported, what, what};
  }
  if (items == 0 || items > proof_items_max) {
    const std::string what = "a proof is of 1 to 1,000 items";
    return Error{ErrorKind::invalid_input, what, what};
  }
  const std::lock_guard lock(mutex_);
  if (let_go_.contains(mailbox))
    return Error{ErrorKind::not_found, "the mailbox is being removed", "the mailbox is being removed"};
  if (proving_.contains(mailbox)) return Error{ErrorKind::denied, "a proof runs already", "a proof of this mailbox runs already"};
  const Id job = Id::random();
  proving_[mailbox] = job;
  proofs_waiting_.push_back({.mailbox = mailbox, .job = job, .items = items});
  look_again();
  return job;
}

// That it came to its end.
void Backups::tell(const ProofRecord& record) {
  count_proof(record, ProofEnd::its_own);
  const Status told = parts_.report_proof(record, Deadline::after(row_time));
  if (!told) log_error("backup", "the ledger does not know of a proof: " + std::string(mailhold::name_of(told.error().kind)));
  log_info("backup", "proof of mailbox " + record.mailbox.text() + ": " + std::to_string(record.items) + " items, " +
                         std::to_string(record.differing) + " not as they were");
}

void Backups::prove_one(WaitingProof wanted, const std::stop_token& stop) {
  const Deadline deadline = Deadline::after(proof_time, stop);
  if (wanted.begun_at == 0) wanted.begun_at = parts_.clock.now();
  WantedRest rest;
  const auto watch_is_aside = watches_.step_aside(wanted.mailbox);
  const auto mailbox = parts_.book.mailbox(wanted.mailbox, deadline);
  auto record = mailbox ? parts_.book.proof(*mailbox, deadline) : Result<ProofRecord>(mailbox.error());
  Status status = record ? done() : Status(record.error());
  if (record) {
    const auto open_target = [&](const Deadline& until) { return open_scratch(*mailbox, until, rest.hearer()); };
    Proof proof({parts_.book, parts_.store, open_target, parts_.clock, parts_.meaning});
    if (wanted.items > 0) {
      record->job = wanted.job;
      record->started_at = parts_.clock.now();
    }
    status = wanted.items > 0 ? proof.run(*mailbox, wanted.items, *record, deadline) : proof.clean_up(*record, deadline);
  }
  if (stop.stop_requested()) return;  // its folder is taken away at the next start
  const bool came_to_its_end = record && wanted.items > 0 && record->job == wanted.job && record->proved_at >= record->started_at;
  if (came_to_its_end) tell(*record);
  if (came_to_its_end) wanted.items = 0;  // what may be left to do is to clean up
  // One that waits did not fail.
  if (!status && status.error().is_temporary() && put_off(wanted, record, {false, rest.get(), with_words(status.error())}))
    return;
  if (record) {
    record->trouble = status ? "" : reason_of(status.error());
    record->put_off = {};
    if (const Status written = parts_.book.put_proof(*record, Deadline::after(row_time)); !written)
      log_error("backup", "the proof of mailbox " + wanted.mailbox.text() + " cannot be written down");
    if (wanted.items > 0) count_proof(*record, ProofEnd::broken_off);
    if (!status) log_warning("backup", "proof of mailbox " + wanted.mailbox.text() + ": no end");
  }
  const std::lock_guard lock(mutex_);
  pauses_.forget(wanted.job);
  proving_.erase(wanted.mailbox);
  if (record) proof_begun_[wanted.mailbox] = record->started_at;
}

}  // namespace mailhold::recover
