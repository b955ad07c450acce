#include "core/ledger/witnesses.h"

#include <algorithm>

#include "base/log.h"
#include "core/evidence/log_reader.h"
#include "core/ledger/log_storage.h"
#include "core/witness/witness_url.h"
#include "formats/tlog/checkpoint.h"
#include "formats/tlog/witness_request.h"

namespace mailhold::ledger {
namespace {

constexpr Milliseconds refresh_after = 600'000;  // an unchanged checkpoint is cosigned again, so that silence is an event
constexpr Milliseconds retry_first = 2'000;
constexpr Milliseconds retry_max = 60'000;

}  // namespace

Result<WitnessSettings> WitnessSettings::parse(const std::vector<std::string>& witnesses, std::uint64_t needed) {
  WitnessSettings settings;
  settings.policy.needed = needed;
  for (const std::string& text : witnesses) {
    const auto hash = text.find('#');
    if (hash == text.npos) return Error{ErrorKind::invalid_input, "ledger.witnesses: expected URL#KEY"};
    ASSIGN_OR_RETURN(tlog::CosignerKey key, tlog::CosignerKey::parse(text.substr(hash + 1)));
    RETURN_IF_ERROR(witness::WitnessUrl::parse(text.substr(0, hash)));
    settings.urls.push_back(text.substr(0, hash));
    settings.policy.witnesses.push_back(std::move(key));
  }
  RETURN_IF_ERROR(settings.policy.check());
  return settings;
}

Witnesses::Witnesses(WitnessSettings settings, Log& log, const Clock& clock)
    : settings_(std::move(settings)), log_(log), clock_(clock), known_(settings_.policy.witnesses.size()) {
  const auto bytes = read_file(log.settings().folder / cosigned_checkpoint_name, tlog::note_bytes_max);
  const auto note = bytes ? tlog::SignedNote::parse(*bytes) : Result<tlog::SignedNote>(bytes.error());
  const auto checkpoint = note ? tlog::open_checkpoint(*bytes, log.key()) : Result<tlog::Checkpoint>(note.error());
  if (!checkpoint) return;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const auto seconds = tlog::verify_cosignature(*note, settings_.policy.witnesses[i]);
    if (!seconds) continue;
    known_[i].size = known_[i].old_size = checkpoint->size;
    known_[i].seconds = *seconds;
  }
}

std::vector<WitnessTask> Witnesses::tasks() {
  std::vector<WitnessTask> tasks;
  const std::string bytes = log_.heads_checkpoint();
  const auto note = tlog::SignedNote::parse(bytes);
  const auto checkpoint = note ? tlog::Checkpoint::parse(note->text) : Result<tlog::Checkpoint>(note.error());
  if (!checkpoint) return tasks;
  const std::scoped_lock lock(mutex_);
  if (gathered_.text != note->text) gathered_ = *note;
  const Milliseconds now = clock_.now();
  for (std::size_t i = 0; i < known_.size(); ++i) {
    Known& known = known_[i];
    const bool is_current = known.state == WitnessState::cosigned && known.size == checkpoint->size;
    if (now < known.next_try || (is_current && now - known.cosigned_at < refresh_after)) continue;
    auto proof = log_.growth(std::min(known.old_size, checkpoint->size), checkpoint->size);
    if (!proof) continue;
    // Whoever says that it saw more is asked with what we have, again and again: it may have been another log's size.
    const tlog::WitnessRequest request{std::min(known.old_size, checkpoint->size), std::move(*proof), bytes};
    tasks.push_back({static_cast<std::uint32_t>(i), checkpoint->size, request.old_size, settings_.urls[i],
                     settings_.policy.witnesses[i].name, settings_.policy.witnesses[i].id(), request.encode()});
    known.next_try = now + retry_first;
  }
  return tasks;
}

Status Witnesses::take(const WitnessOutcome& outcome) {
  {
    const std::scoped_lock lock(mutex_);
    if (outcome.witness >= known_.size()) return Error{ErrorKind::invalid_input, "there is no such witness"};
    Known& known = known_[outcome.witness];
    switch (outcome.kind) {
      case WitnessOutcome::Kind::cosigned: RETURN_IF_ERROR(take_cosignature(known, outcome)); break;
      case WitnessOutcome::Kind::conflict: take_conflict(known, outcome); break;
      case WitnessOutcome::Kind::refused:
        if (outcome.status == 422)
          try_later(known, WitnessState::contradicts, "says that the log does not continue what it saw");
        else
          try_later(known, WitnessState::refuses, "answers with status " + std::to_string(outcome.status));
        break;
      case WitnessOutcome::Kind::away: try_later(known, WitnessState::away, "could not be asked"); break;
    }
  }
  cosigned_.notify_all();
  stop_if_contradicted();
  return done();
}

Status Witnesses::take_cosignature(Known& known, const WitnessOutcome& outcome) {
  const tlog::CosignerKey& key = settings_.policy.witnesses[outcome.witness];
  tlog::SignedNote note{gathered_.text, {{key.name, key.id(), outcome.signature}}};
  const auto seconds = tlog::verify_cosignature(note, key);
  const auto checkpoint = tlog::Checkpoint::parse(gathered_.text);
  if (!seconds || !checkpoint) {
    // Also a late answer about a checkpoint that a newer one has replaced.
    try_later(known, WitnessState::waiting, "answered with a cosignature that does not verify");
    known.old_size = std::max(known.old_size, outcome.size);
    return seconds ? Status(checkpoint.error()) : Status(seconds.error());
  }
  std::erase_if(gathered_.signatures, [&](const auto& line) { return line.name == key.name && line.key_id == key.id(); });
  gathered_.signatures.push_back(note.signatures[0]);
  known.state = WitnessState::cosigned;
  known.size = known.old_size = checkpoint->size;
  known.seconds = *seconds;
  known.cosigned_at = clock_.now();
  known.failures = 0;
  known.next_try = 0;
  known.detail.clear();
  (void)log_.set_cosigned(gathered_.encode());  // a newer checkpoint may have come meanwhile: it is asked for next
  if (cosigners_of(gathered_, settings_.policy).size() < std::max<std::size_t>(settings_.policy.needed, 1)) return done();
  return keep(gathered_.encode());
}

void Witnesses::take_conflict(Known& known, const WitnessOutcome& outcome) {
  if (outcome.conflict_size > outcome.size) {
    try_later(known, WitnessState::knows_more,
              "saw " + std::to_string(outcome.conflict_size) + " entries, this log has " + std::to_string(outcome.size));
  } else if (outcome.conflict_size == outcome.old_size) {
    // It agrees about the old size and still says conflict: same size, another root.
    try_later(known, WitnessState::contradicts, "saw another log of the same size");
  } else {
    known.old_size = outcome.conflict_size;
    known.next_try = 0;
  }
}

void Witnesses::try_later(Known& known, WitnessState state, std::string detail) {
  if (known.detail != detail) log_warning("ledger", "a witness " + detail);
  known.state = state;
  known.detail = std::move(detail);
  known.next_try = clock_.now() + std::min(retry_max, retry_first << std::min(known.failures++, 5));
}

// One witness may lie or err. As many as would have been enough to believe the log are enough not to.
void Witnesses::stop_if_contradicted() {
  std::size_t contradicting = 0;
  {
    const std::scoped_lock lock(mutex_);
    for (const Known& known : known_) {
      if (known.state == WitnessState::contradicts || known.state == WitnessState::knows_more) ++contradicting;
    }
  }
  if (contradicting == 0 || contradicting < settings_.policy.needed || !log_.status().open) return;
  log_.stop(Error{ErrorKind::corrupt, "ledger: behind its witnesses or split from them: " + std::to_string(contradicting) +
                                          " of them saw another or a longer log"});
}

Status Witnesses::keep(const std::string& note) const {
  LogStorage& storage = disk_storage();
  RETURN_IF_ERROR(storage.write_file(log_.settings().folder / cosigned_checkpoint_name, note));
  return storage.sync_all(log_.settings().folder);
}

std::vector<WitnessStatus> Witnesses::status() const {
  const std::scoped_lock lock(mutex_);
  std::vector<WitnessStatus> list;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const Known& known = known_[i];
    list.push_back({settings_.policy.witnesses[i].name, known.state, known.size, known.seconds, known.detail});
  }
  return list;
}

std::vector<Cosigned> Witnesses::cosigners() const {
  const auto note = tlog::SignedNote::parse(log_.heads_checkpoint());
  return note ? cosigners_of(*note, settings_.policy) : std::vector<Cosigned>();
}

bool Witnesses::wait_until_cosigned(const Deadline& deadline) const {
  std::unique_lock lock(mutex_);
  return cosigned_.wait_until(lock, deadline.stop, deadline.at, [&] { return cosigners().size() >= settings_.policy.needed; });
}

}  // namespace mailhold::ledger
